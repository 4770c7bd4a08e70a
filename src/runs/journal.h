// What a run says of itself: on the terminal, and as events in metrics.jsonl.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "evaluate/evaluator.h"
#include "evaluate/run_inputs.h"
#include "exchange/team.h"
#include "nn/network.h"
#include "runs/progress.h"
#include "runs/run_folder.h"
#include "settings/config.h"
#include "settings/worker_schedule.h"

namespace easgd {

/// Thread: main, but for warn, warn_of_failure and tell, which are for any.
class Journal {
 public:
  /// Both have to outlive it; `config` is read as it stands when something is told of it.
  Journal(const Config& config, RunFolder& folder) : config_(config), folder_(folder) {}

  /// Data, network, workers and method, a line each.
  void announce(const Data& data, const Network& network, const WorkerSchedule& schedule) const;
  void warn(const std::string& message);
  /// What can be said against the schedule before the run.
  void warn_of_schedule(const WorkerSchedule& schedule);
  void warn_of_failure(int worker, const std::string& why);
  /// Once: where letters begin to be refused.
  void warn_of_refusals(const Team& team);
  /// An evaluation, after `epoch` passes over the training set.
  void tell(const Evaluation& evaluation, double epoch);
  /// To be called often: an event every five seconds.
  void log_progress(const ProgressState& state, const Team& team);
  /// The result in one line of standard output.
  void conclude(const nlohmann::json& summary) const;

 private:
  static constexpr double kProgressSeconds = 5;

  const Config& config_;
  RunFolder& folder_;
  double next_progress_ = kProgressSeconds;
  bool refusals_told_ = false;
};

}  // namespace easgd
