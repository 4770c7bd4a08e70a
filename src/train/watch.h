// The main thread's part while the others work.
#pragma once

#include <atomic>
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

/// Whom main watches, and what it goes by.
struct Watched {
  const Config& config;
  const WorkerSchedule& schedule;
  std::size_t train_size;  ///< samples of an epoch
  Team& team;
  const Evaluator& evaluator;
  const EvaluationLog& evaluations;
  const std::atomic<bool>& good_enough;  ///< stop.test_error has been reached
  CheckpointKeeper& keeper;
};

/// Shows progress, hands checkpoints on to be written, reports who does not move and whose letters
/// are refused, and stops the team when its time is up, the center is good enough, the evaluator
/// has failed, or the client wants it. Returns when the team has ended.
/// Thread: main.
void watch(const Watched& watched, Journal& journal, RunClient& client);

}  // namespace easgd
