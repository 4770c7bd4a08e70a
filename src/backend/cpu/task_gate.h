// How numbered tasks come to whoever is free, and how who waits sleeps: rounds of work that one
// thread opens and others enter.
//
//   opener                            others
//   open(count)                       enter()    sleeps until a round is open
//   take() ... task ... take()        take() ... task ... take()
//   close()   sleeps until all        leave()
//             others have left
//
// Who enters late finds the next round, or none. What the opener has written before open() others
// may read until they leave, and after close() it may read what they have written. The suite
// `proof` goes through every state of this, of small scenarios.
#pragma once

#include <cstddef>
#include <optional>

#include "base/atomic.h"

namespace easgd::cpu {

class TaskGate {
 public:
  // The opener's side.
  void open(std::size_t count);
  void close();
  /// Between rounds: nobody enters any more.
  void end();

  // Of all who are inside, the opener too.
  /// The next task of the round, if one is left.
  std::optional<std::size_t> take();
  /// No task is left.
  void skip_the_rest() { next_.store(count_, std::memory_order_relaxed); }

  // The others' side.
  /// `round`: 0, then as it was left the last time. False once the gate has ended.
  bool enter(int& round);
  void leave();

 private:
  static constexpr int kOpen = 1 << 16;

  std::size_t count_ = 0;        // written while nobody is inside
  Atomic<std::size_t> next_{0};  // task
  Atomic<int> inside_{0};        // how many others are, and kOpen
  Atomic<int> news_{0};          // counts rounds and the end: others sleep on it
  Atomic<bool> has_ended_{false};
};

}  // namespace easgd::cpu
