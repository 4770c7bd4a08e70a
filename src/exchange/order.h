// The order in which the master absorbs letters.
//
// An asynchronous run is a function of its seed and of this order, so the order is a plug: as
// letters come, one worker after another, as recorded in an earlier run, or all of a round
// together.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "base/state.h"
#include "exchange/mailbox.h"

namespace easgd {

/// Thread: master only.
class OrderPolicy {
 public:
  virtual ~OrderPolicy() = default;
  /// Fills `round` with the workers to absorb now, given the state of every mailbox; leaves it
  /// empty where the master has to wait. Letters of one round meet the same center.
  virtual void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) = 0;
  /// A round is of all workers or, once the run is being stopped, of none: letters of some alone
  /// would pass for the mean of all.
  virtual bool all_or_none() const { return false; }
  /// Virtual time of the last round, if the order keeps one.
  virtual std::optional<double> seconds() const { return {}; }
  /// What it keeps between two rounds.
  virtual void describe(State&) {}
};

/// Any letter that is there, beginning after the worker served last, so that none starves.
std::unique_ptr<OrderPolicy> free_order();
/// Worker 0, 1, 2, ..., passing over those that have left.
std::unique_ptr<OrderPolicy> round_robin_order();
/// The same with two visits a turn: a pull and the letter that follows it (Timing::around).
std::unique_ptr<OrderPolicy> round_robin_pairs();
/// All workers that have not left, together.
std::unique_ptr<OrderPolicy> synchronous_order();

/// What `order.bin` holds: what was run, who was absorbed when, and how many steps each worker took
/// in the end.
///
/// File, little-endian: "easgd order 2\n\0\0" (16 bytes), workers (u32), length of the
/// configuration (u32) and its text, a u16 for each absorbed letter, 0xffff, and the steps of each
/// worker (u64).
struct Recording {
  std::vector<std::uint16_t> letters;
  std::vector<std::uint64_t> steps;
  std::string config = {};  ///< TOML of what the result depends on beside the order

  /// Throws: DataError if the file is not an order.bin of `workers` workers.
  static Recording read(const std::filesystem::path& path, std::size_t workers);
  void write(std::ostream& file, std::size_t workers) const;
  /// Throws: KeyError against center.replay, with the first key that differs, where a run of this
  /// configuration would not repeat the recorded one.
  void check_repeats(const std::string& here) const;
};

/// As recorded. Throws DataError from `next` if a worker that is due has left, or one posts a
/// letter that is not in the recording; once `ending` is true, what is left of the recording is
/// given up instead, and letters are absorbed as they come.
std::unique_ptr<OrderPolicy> replay_order(Recording recording, const std::atomic<bool>& ending);

}  // namespace easgd
