// What a sweep's manifest says, and what is added to it while the sweep goes on.
#pragma once

#include <filesystem>
#include <string>

#include "runs/manifest.h"
#include "runs/pause_point.h"
#include "sweep/plan.h"

namespace easgd {

/// Every change has reached the disk when its function returns.
/// Throws: DataError if it cannot be written.
class Ledger {
 public:
  /// Throws: ConfigError if a sweep is at work in the folder; DataError.
  explicit Ledger(const std::filesystem::path& folder)
      : manifest_(folder), record_(read_sweep(folder)) {}

  /// Appends the plan, if it is not the one that is there. Returns what people should know of the
  /// change, or nothing.
  std::string take(const SweepPlan& plan);
  /// A run beside those of the plan, unless it is known.
  void add(const PlannedRun& run);
  /// The state of a run from now on.
  void note(const SweepRun& run, StateEvent state);
  /// It goes no further than the last place, of that unit, where it has paused. False if that is
  /// known.
  bool stop(const SweepRun& run, PauseUnit unit);

  /// Throws: DataError if no change can be written.
  void check_writable() const { manifest_.check_writable(); }
  const SweepRecord& record() const { return record_; }
  StateEvent state_of(const SweepRun& run) const { return record_.state_of(run.identity()); }

 private:
  Manifest manifest_;
  SweepRecord record_;
};

}  // namespace easgd
