// The order in which the master absorbs letters.
//
// An asynchronous run is a function of its seed and of this order, so the order is a plug: as
// letters come, one worker after another, as recorded in an earlier run, or all of a round
// together.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/state.h"
#include "exchange/mailbox.h"
#include "exchange/recording.h"

namespace easgd {

/// Thread: master only.
class OrderPolicy {
 public:
  virtual ~OrderPolicy() = default;
  /// Fills `round` with the workers to absorb now, given the state of every mailbox; leaves it
  /// empty if the master has to wait. Letters of one round meet the same center.
  virtual void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) = 0;
  /// A round is of all workers or, once the run is being stopped, of none: letters of some alone
  /// would pass for the mean of all.
  virtual bool all_or_none() const { return false; }
  /// Whether the letter that was chosen last had been refused when it was recorded.
  virtual bool refuses() const { return false; }
  /// A worker that had failed was served in its turn, and goes on with its step `clock`.
  virtual void begin_again(std::size_t /*worker*/, std::uint64_t /*clock*/) {}
  /// The run is being stopped: workers leave before their schedule ends.
  virtual void stop() {}
  /// Virtual time of the last round, if the order keeps one.
  virtual std::optional<double> seconds() const { return {}; }
  /// What it keeps between two rounds.
  virtual void describe(State&) {}
  /// After it was given the state of one that had served `visits`, in their order.
  /// Throws: DataError if that was none like this one: the master might wait for ever.
  virtual void check(std::span<const std::uint16_t> /*visits*/) const {}
};

/// Any letter that is there, beginning after the worker served last, so that none starves.
std::unique_ptr<OrderPolicy> free_order();
/// Worker 0, 1, 2, ..., passing over those that have left.
std::unique_ptr<OrderPolicy> round_robin_order();
/// The same with two visits a turn: a pull and the letter that follows it (Timing::around).
std::unique_ptr<OrderPolicy> round_robin_pairs();
/// All workers that have not left, together.
std::unique_ptr<OrderPolicy> synchronous_order();

/// As recorded; letters that were refused are again. Throws DataError from `next` if a worker that
/// is due has left, or one posts a letter that is not in the recording. Of a run that is stopped,
/// what is left of the recording is given up instead, and letters are absorbed as they come.
std::unique_ptr<OrderPolicy> replay_order(Recording recording);

}  // namespace easgd
