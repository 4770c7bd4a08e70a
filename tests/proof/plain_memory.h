// Who has read and written what is not atomic, and whether one knew of the other.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "arena.h"
#include "memory.h"

namespace easgd::proof {

enum class Access { read, write };

/// The arena in words of four bytes.
class PlainMemory {
 public:
  void forget() { cells_ = {}, hash_ = 0; }
  /// Returns what is wrong if it races with an earlier access of another thread.
  std::optional<std::string> touch(std::size_t word, Access access, std::size_t thread,
                                   const Memory& memory);
  /// Of all that races to come depend on, however it came to be.
  std::uint64_t hash() const { return hash_; }

 private:
  struct Cell {
    std::uint8_t writer = 0, written = 0;  ///< the last; 0: never
    std::array<std::uint8_t, kMostThreads> read{};
  };
  static std::uint64_t hash_of(std::size_t word, const Cell& cell);

  std::array<Cell, kArenaBytes / 4> cells_{};
  std::uint64_t hash_ = 0;
};

}  // namespace easgd::proof
