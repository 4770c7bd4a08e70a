// Starts a run of a sweep in a process of its own: from the beginning, or from its last checkpoint.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/child_process.h"
#include "runs/pause_point.h"
#include "sweep/capacity.h"
#include "sweep/metrics_tail.h"
#include "sweep/plan.h"
#include "sweep/sweep_folder.h"

namespace easgd {

enum class Beginning { from_checkpoint, anew };

/// A run that waits for its turn, the `attempt`-th.
struct Waiting {
  const SweepRun* run;
  std::optional<PausePoint> pause = {};
  std::uint64_t attempt = 1;
  Beginning beginning = Beginning::from_checkpoint;  ///< if it has one
};

/// A run that is at work.
struct Running {
  using Clock = std::chrono::steady_clock;

  Waiting begun;  ///< as it has begun indeed
  Share share;
  std::unique_ptr<ChildProcess> process;
  MetricsTail tail;
  std::uintmax_t said_before = 0;  ///< bytes of the log that are not of this process
  bool given_up = false;
  Clock::time_point begin = Clock::now();
};

/// Throws: Error; nothing is at work then that was not before.
Running start_run(const SweepFolder& folder, Waiting next, const Share& share);

/// How a run begins after its process has ended with that code: what fails to go on begins anew.
Beginning beginning_after(const Waiting& begun, int code);

}  // namespace easgd
