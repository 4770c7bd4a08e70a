// From a sweep file to the runs that it stands for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "runs/manifest.h"
#include "settings/config.h"
#include "sweep/combinations.h"
#include "sweep/sweep_file.h"

namespace easgd {

/// What a run takes of the machine.
struct Demand {
  std::size_t cores = 0;    ///< threads of its workers on the CPU
  std::size_t devices = 0;  ///< GPUs
};

struct SweepRun {
  PlannedRun planned;
  Config config;  ///< with devices and threads that are chosen
  Demand demand;
  std::string speed_class = {};  ///< see estimate.h

  const std::string& identity() const { return planned.identity; }
};

struct SweepPlan {
  std::string name;
  std::string base;               ///< see base_identity
  std::vector<std::string> axes;  ///< as in the file
  std::vector<SweepRun> runs;
  std::vector<std::string> remarks;  ///< what people should know of it
  std::size_t same = 0;              ///< combinations that came to a run that was there
  std::size_t excluded = 0;          ///< that `require` left out
  std::size_t most_devices = 0;      ///< GPUs that a run wants
  std::optional<EarlyStop> early_stop = {};
  std::vector<PausePoint> rungs = {};  ///< of early stopping
  bool is_open = false;  ///< runs are asked for while it goes on, and added to those there are

  PlanEvent event() const;
};

/// Names the configuration that is varied, with what the sweep sets in it.
std::string base_identity(const SweepFile& file, const std::vector<std::string>& overrides);

/// Reads the base once for each run, with what the sweep and `overrides` change in it, and checks
/// it. Workers whose number of threads is not given get one each, so that runs fill the machine,
/// and so that a run is the same on every machine.
/// Throws: ConfigError with the line of the sweep file.
SweepPlan plan_sweep(const SweepFile& file, const std::vector<std::string>& overrides);

/// The runs of one combination, one for each seed; none if `require` leaves it out.
/// Throws: as plan_sweep.
std::vector<SweepRun> plan_combination(const SweepFile& file,
                                       const std::vector<std::string>& overrides,
                                       const Combination& combination);

}  // namespace easgd
