// Which worker runs where.
#pragma once

#include <string>
#include <vector>

#include "backend/backend_kind.h"
#include "exchange/center_placement.h"
#include "settings/config.h"

namespace easgd {

/// A worker's device and its share of it.
struct Placement {
  std::string kind;  ///< name in the registry of backends
  BackendOptions options;

  std::string name() const;
  /// For the calling thread.
  std::unique_ptr<Backend> make_backend() const { return easgd::make_backend(kind, options); }
};

std::vector<std::string> names_of(const std::vector<Placement>& places);

struct WorkerPlaces {
  std::vector<Placement> places;
  std::string remark = {};  ///< to be told; empty where there is nothing to tell
};

/// A place for each worker. "auto" stands for one worker a GPU; where there are none, for one CPU
/// worker a core, at most kMostAutoWorkers; and for one in all of either where the algorithm has
/// one. CPU workers share the cores that this process may use.
/// Throws: ConfigError for a device that is none; DeviceError for one that this program or machine
/// lacks.
WorkerPlaces place_workers(const WorkersConfig& workers, bool single_worker);

/// Where centers are tested: on the first worker's GPU, or on evaluate.threads of the CPU.
/// Throws: DeviceError where this machine lacks the GPU.
Placement place_evaluation(const WorkersConfig& workers, const EvaluateConfig& evaluate);

/// Where the center is: center.place. "auto" is on every worker's device where that can be, for a
/// synchronous exchange between GPUs, else in pinned memory.
/// Throws: ConfigError for a place that is none, or not for this algorithm or these workers;
/// DeviceError for one that this machine lacks.
CenterPlacement place_center(const Config& config, const std::vector<Placement>& workers);

}  // namespace easgd
