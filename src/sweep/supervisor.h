// Runs the runs of a sweep, each in a process of its own, as many at once as there is room for.
//
// What state a run is in, its exit code and its own summary.json say; nobody has to send signs of
// life. So whatever is killed, the same command goes on where it was: a run that has a summary is
// done, every other one goes on from its checkpoint or begins again. Which runs pause where, and
// which of them go on, halving.h decides.
#pragma once

#include <cstddef>
#include <string>

#include "sweep/capacity.h"
#include "sweep/plan.h"
#include "sweep/sweep_client.h"
#include "sweep/sweep_folder.h"

namespace easgd {

struct SweepOptions {
  Machine machine;
  std::size_t concurrent = 0;  ///< runs at once; 0: what the machine has room for
  std::size_t runs_per_device = 1;
};

struct SweepResult {
  std::size_t done = 0, failed = 0, stopped = 0, waiting = 0;
  bool interrupted = false;
  std::string table = {};  ///< SweepTable::text
};

/// A run that fails is tried once more, and then left; the others go on. It goes on from its
/// checkpoint, unless it was that which failed.
/// Thread: main.
/// Throws: ConfigError if a sweep is at work in the folder; DataError if its files cannot be
/// written.
SweepResult run_sweep(const SweepPlan& plan, const SweepFolder& folder, const SweepOptions& options,
                      SweepClient& client);

}  // namespace easgd
