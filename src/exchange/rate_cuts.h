// The paper's rule for the learning rate: it is cut when the training loss stands still.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/tally.h"
#include "base/state.h"
#include "settings/schedule.h"

namespace easgd {

/// Of one worker, by its own clock and its own losses. Its loss stands still if the mean over the
/// last `window` steps is not at least the share `gain` below the mean over as many steps before;
/// then the next of `cuts` is multiplied in. A mean that is not finite is compared with nothing,
/// nor is the next one, for which letters have losses of before.
/// Source: [EASGD15] section 5.2: cut by 5, then by 2, whenever the online predictive loss
/// stagnates.
class RateCuts {
 public:
  /// Of a schedule that cuts nothing, it is never due.
  explicit RateCuts(const Schedule& schedule);

  bool is_on() const { return window_ > 0; }
  /// The step `clock` begins a window.
  bool is_due(std::uint64_t clock) const { return is_on() && clock >= next_look_; }
  /// A letter takes along what the steps since the last one have tallied.
  void carry(const Tally& tally) { carried_ += tally; }
  /// At the beginning of a step that is due; `uncarried`: what was tallied since the last letter.
  /// Returns whether the rate has been cut.
  bool look(std::uint64_t clock, const Tally& uncarried);
  /// On the learning rate.
  double factor() const { return factor_; }
  /// Its names begin with "cuts.".
  /// Throws: DataError if more cuts are loaded than there are, or more samples than can be.
  void describe(State& state);

 private:
  std::uint64_t window_;
  double gain_;
  std::vector<double> cuts_;

  std::uint64_t next_look_, made_ = 0;  // of the cuts
  double factor_ = 1;
  double before_;  // mean loss of the window before; not a number if there is none
  Tally carried_;  // of this window, since it began
  Tally earlier_;  // what no letter had carried then
};

}  // namespace easgd
