#pragma once

#include <bit>
#include <cstdint>

namespace easgd {

/// What fails again and again while a run of days goes on: told at once, then whenever there are
/// twice as many failures as when it was told last, so that it is neither forgotten nor all that
/// is said.
class FailuresInRow {
 public:
  /// One more; true if it is to be told.
  bool add() { return std::has_single_bit(++count_); }
  /// It has been done: the next failure is the first of others.
  void end() { count_ = 0; }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace easgd
