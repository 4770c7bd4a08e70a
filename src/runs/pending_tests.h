// Snapshots whose test is not in the log yet: the one that is being tested, and those for which a
// run had no time before it ended. They are in its checkpoints, which wait for no test, and are
// tested first when it goes on. So it has the evaluations of a run that nothing has disturbed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/saved_state.h"
#include "evaluate/evaluator.h"
#include "exchange/checkpoint.h"
#include "nn/network.h"

namespace easgd {

/// Thread: any.
class PendingTests {
 public:
  /// Before the evaluator is offered it; `seconds` of training time.
  void add(const CenterView& center, double seconds);
  /// Its result is in the log.
  void end(std::uint64_t version);
  /// Puts those up to its version into a checkpoint. Before the log is put there: what is tested
  /// meanwhile is in both then, and not in neither.
  void save(Checkpoint& checkpoint) const;
  /// Takes up those of a checkpoint that are not among the versions `tested`.
  /// Throws: DataError if they are none of such a run.
  void load(const Checkpoint& checkpoint, const std::vector<std::uint64_t>& tested,
            const Network& network, std::size_t workers);
  /// Offers the evaluator all, one after the other, before the master is let go.
  void offer_all(const Network& network, std::size_t workers, Evaluator& evaluator) const;

 private:
  std::vector<SavedState> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

  mutable std::mutex mutex_;
  std::vector<SavedState> all_;  // the oldest first
};

}  // namespace easgd
