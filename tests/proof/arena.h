// Memory of a scenario: one block, which can be put back to what it was.
#pragma once

#include <cstddef>
#include <span>

namespace easgd::proof {

constexpr std::size_t kArenaBytes = std::size_t(4) << 10;

/// Whether the scenario's code is running, and not the explorer's: operator new then takes memory
/// of the arena, and what the code reads and writes there is watched.
extern bool in_scenario;

/// The code between its birth and its death is the explorer's.
class Outside {
 public:
  Outside() : before_(in_scenario) { in_scenario = false; }
  ~Outside() { in_scenario = before_; }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

 private:
  const bool before_;
};

void empty_arena();
/// What is in use of it.
std::span<char> arena_in_use();
/// How far into the arena an address is; kArenaBytes or more if it is not in there.
std::size_t offset_in_arena(const void* address);

}  // namespace easgd::proof
