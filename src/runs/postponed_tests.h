// Snapshots that a run had no time to test before it ended: they are in its checkpoint, and tested
// first when it goes on. So it has the evaluations of a run that nothing has disturbed.
#pragma once

#include <mutex>
#include <vector>

#include "base/saved_state.h"
#include "evaluate/evaluator.h"
#include "exchange/checkpoint.h"
#include "nn/network.h"

namespace easgd {

/// Thread: any; a checkpoint may be written while another test is given up.
class PostponedTests {
 public:
  void add(const Snapshot& snapshot);
  /// Puts those up to its version into a checkpoint.
  void save(Checkpoint& checkpoint) const;

 private:
  mutable std::mutex mutex_;
  std::vector<SavedState> all_;
};

/// Offers the evaluator those in a checkpoint, one after the other, before there is a master.
/// Throws: DataError.
void offer_postponed(const Checkpoint& checkpoint, const Network& network, std::size_t workers,
                     Evaluator& evaluator);

}  // namespace easgd
