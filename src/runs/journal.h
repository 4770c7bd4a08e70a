// What a run says of itself: to its client, and as events in metrics.jsonl.
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "evaluate/evaluator.h"
#include "evaluate/run_inputs.h"
#include "exchange/team.h"
#include "nn/network.h"
#include "runs/event_file.h"
#include "runs/run_client.h"
#include "runs/run_folder.h"
#include "runs/summary.h"
#include "settings/config.h"
#include "settings/worker_schedule.h"

namespace easgd {

/// What a run that is resumed has behind it.
struct EarlierPart {
  std::uint64_t version = 0;
  std::uint64_t steps = 0;  ///< of all workers
  double seconds = 0;       ///< training time
  bool refused = false;     ///< letters
};

/// What has come after the checkpoint that a run goes on from, as far as its events tell.
struct LostPart {
  std::uint64_t versions = 0;
  double seconds = 0;
};

/// A checkpoint that has reached the disk.
struct StoredCheckpoint {
  std::uint64_t version = 0;
  double seconds = 0;  ///< training time
  std::uint64_t bytes = 0;
  double write_seconds = 0;
};

/// When and why the training loss was lost.
struct LostLoss {
  std::uint64_t version = 0;
  std::string why = {};
};

/// Thread: main, except warn and report, which are for any.
class Journal {
 public:
  /// All three have to outlive it. What goes wrong in the folder is reported to the client.
  Journal(const Config& config, RunFolder& folder, RunClient& client);

  /// The run is to go on from a checkpoint: what its earlier part has logged is not logged again.
  /// To be called before announce().
  void go_on(const EarlierPart& earlier);
  /// Data, network, workers and method, a line each; begins TensorBoard's file.
  void announce(const Data& data, const Network& network, const WorkerSchedule& schedule);
  void warn(const std::string& message);
  /// What can be said against the schedule before the run.
  void warn_of_schedule(const WorkerSchedule& schedule);
  /// It does. After go_on(), and once the log has lost what came after the checkpoint.
  void report(const LostPart& lost);
  /// Of a worker; `seconds` of training time.
  void report(const WorkerFailure& failure, double seconds);
  void report(const Beginning& beginning, double seconds);
  /// The training loss was lost: the run ends.
  void report(const LostLoss& lost, double seconds);
  /// The same: the run has gone back to a version. After the report of what was lost.
  void report_step_back(const LostLoss& lost, double seconds, std::uint64_t to_version);
  /// Once, when letters begin to be refused.
  void warn_of_refusals(const Team& team);
  /// An evaluation, after `epoch` passes over the training set.
  void report(const Evaluation& evaluation, double epoch);
  /// Its line is a promise: whatever happens now, the run goes on from there or from later. Of one
  /// thread at a time.
  void report(const StoredCheckpoint& checkpoint);
  /// To be called often: an event after a second, and every five seconds.
  void log_progress(const ProgressState& state);
  /// The same at once: when the workers have ended.
  void log_progress_now(const ProgressState& state);
  /// The run has ended.
  void conclude(RunStatus status) { event_file_.end(status); }

 private:
  static constexpr double kFirstProgressSeconds = 1, kProgressSeconds = 5;

  void record(const Event& event);
  bool is_virtual() const;

  const Config& config_;
  RunFolder& folder_;
  EventFile event_file_;
  RunClient& client_;
  int classes_ = 0;
  std::atomic<double> seconds_ = 0;  // of training, when main looked last: that of a warning
  double next_progress_ = kFirstProgressSeconds;
  std::uint64_t earlier_ = 0;            // version from which the run goes on
  std::uint64_t first_step_ = 0;         // of all workers
  std::optional<std::uint64_t> stored_;  // version of the last checkpoint that has an event
  bool refusals_reported_ = false;
};

}  // namespace easgd
