// A copy of the center at one version, on its way from the master to the evaluator.
#pragma once

#include <cstdint>
#include <vector>

#include "base/atomic.h"
#include "base/view.h"
#include "exchange/center_view.h"

namespace easgd {

struct Snapshot {
  Buffer center;  ///< [P + S]
  std::uint64_t version = 0;
  std::vector<std::uint64_t> steps;  ///< of each worker
  Tally train;                       ///< of the letters since the snapshot before
  double seconds = 0;                ///< training time when it was taken
};

/// Room for one snapshot. The master fills it when it is empty and, but in virtual time, never
/// waits; the evaluator empties it.
class SnapshotSlot {
 public:
  /// `state`: P + S
  explicit SnapshotSlot(std::size_t state) { snapshot_.center = host_buffer(state); }

  /// Copies the center, or returns false if the evaluator is still busy with an earlier one.
  bool offer(const CenterView& center, double seconds);
  /// Sleeps until there is a snapshot; nullptr once the slot is closed.
  Snapshot* take();
  /// By whoever offers: there is room. It says nothing of what the evaluator has done.
  bool is_empty() const { return state_.load(std::memory_order_relaxed) == State::empty; }
  /// Gives the snapshot's room back.
  void release();
  /// Sleeps until the snapshot in the slot, if any, has been released.
  void wait_until_empty() const;
  /// After wait_until_empty(), by whoever offers: no more will come.
  void close();

 private:
  enum class State : int { empty, full, closed };

  /// An exchange and no store: see Mailbox::change.
  void change(State to) {
    state_.exchange(to, std::memory_order_seq_cst);
    state_.notify_all();
  }

  Snapshot snapshot_;
  Atomic<State> state_{State::empty};
};

}  // namespace easgd
