// Which worker runs where.
#pragma once

#include <string>
#include <vector>

#include "exchange/placement.h"
#include "settings/config.h"

namespace easgd {

struct WorkerPlacement {
  std::vector<Placement> placements;
  std::string remark = {};  ///< for people; empty if there is none
};

/// A device for each worker. "auto" stands for one worker per GPU; if there is none, for one CPU
/// worker per core, at most kMostAutoWorkers; for one worker in all if the algorithm has one. CPU
/// workers share the cores that this process may use.
/// Throws: ConfigError for a device that is none; DeviceError for one that this program or machine
/// lacks.
WorkerPlacement place_workers(const WorkersConfig& workers, bool single_worker);

/// The device of each worker, whether this machine has it or not; "auto" as above.
/// Throws: ConfigError.
WorkerPlacement named_workers(const WorkersConfig& workers, bool single_worker);

/// Where centers are tested: on the first worker's GPU, or on evaluate.threads of the CPU.
/// Throws: DeviceError if this machine lacks the GPU.
Placement place_evaluation(const WorkersConfig& workers, const EvaluateConfig& evaluate);

}  // namespace easgd
