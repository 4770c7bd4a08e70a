// The main thread's part while the others work.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>

#include "evaluate/evaluator.h"
#include "exchange/team.h"
#include "runs/evaluation_log.h"
#include "runs/journal.h"
#include "runs/run_client.h"
#include "settings/config.h"
#include "settings/worker_schedule.h"
#include "train/checkpoint_keeper.h"

namespace easgd {

/// Since a run was told to end. Batch systems give it seconds.
/// Thread: any.
class Hurry {
 public:
  static constexpr std::chrono::seconds kMost{5};

  explicit Hurry(RunClient& client) : client_(client) {}
  /// The client wants the run to end. Time runs since this was first asked then.
  bool has_begun() {
    if (!client_.wants_end()) return false;
    auto expected = kNever;
    begun_.compare_exchange_strong(expected, now());
    return true;
  }
  /// What can be left out is left out.
  bool is_over() { return has_begun() && Duration(now() - begun_) > kMost; }

 private:
  using Duration = std::chrono::steady_clock::duration;
  static constexpr Duration::rep kNever = Duration::max().count();
  static Duration::rep now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
  RunClient& client_;
  std::atomic<Duration::rep> begun_{kNever};
};

/// Whom main watches, and what it goes by.
struct Watched {
  const Config& config;
  const WorkerSchedule& schedule;
  std::size_t train_size;  ///< samples of an epoch
  Team& team;
  const Evaluator& evaluator;
  const EvaluationLog& evaluations;
  const std::atomic<bool>& good_enough;  ///< stop.test_error has been reached
  Hurry& hurry;
  CheckpointKeeper& keeper;
};

/// Shows progress, hands checkpoints on to be written, reports who does not move and whose letters
/// are refused, and stops the team when its time is up, the center is good enough, the evaluator
/// has failed, or the client wants it. Returns when the team has ended.
/// Thread: main.
void watch(const Watched& watched, Journal& journal, RunClient& client);

}  // namespace easgd
