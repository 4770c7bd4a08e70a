// When a run's checkpoints are due, what is in them beside the team, and how they are kept.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/failures_in_row.h"
#include "evaluate/evaluation_clock.h"
#include "exchange/checkpoint.h"
#include "runs/evaluation_log.h"
#include "runs/journal.h"
#include "runs/pending_tests.h"
#include "runs/run_folder.h"
#include "settings/fault.h"
#include "train/resolve.h"
#include "train/step_back.h"

namespace easgd {

/// Of a run, what its checkpoints are made of and where they are told of. All outlive the keeping.
struct Kept {
  const ResolvedRun& run;
  RunFolder& folder;
  Journal& journal;
  const EvaluationLog& evaluations;
  const PendingTests& pending;
  EvaluationClock& clock;
  StepBack& step_back;
};

class RunKeeping {
 public:
  explicit RunKeeping(const Kept& kept);

  /// The run has a checkpoint of this version, at this training time: what is due comes after it.
  void begun(const CenterView& center, double seconds) {
    clock_.begun(center, seconds);
    last_ = center.version;
  }
  /// On the master's thread: true once for each that is due.
  bool is_due(const CenterView& center, double seconds);
  /// On the master's thread: adds what the run has beside its team; `seconds` of training time.
  void add(Checkpoint& checkpoint, double seconds) const;
  /// Writes one, with the evaluations up to its version, and the snapshots that are to be tested.
  /// Throws: DataError.
  void save(Checkpoint checkpoint);
  /// The same while the run goes on: what cannot be written costs a warning, now and then.
  void keep(Checkpoint checkpoint);
  /// Writes a checkpoint as it is, also over that of its version, and returns its size in bytes.
  /// Throws: DataError.
  std::uint64_t write(const Checkpoint& checkpoint) const;
  /// Throws: DataError as of a full disk or a read-only folder, where debug.fail asks for it.
  void check_can_write(std::uint64_t version) const;

 private:
  const Kept kept_;
  EvaluationClock clock_;
  const std::vector<Fault> faults_;
  std::optional<std::uint64_t> last_;  // version that is safe; while the run goes on, and
  FailuresInRow failures_;             // after it, on the keeper's thread
};

}  // namespace easgd
