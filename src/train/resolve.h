// From a configuration to a run in which nothing is left to choose.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/view.h"
#include "evaluate/run_inputs.h"
#include "exchange/place_center.h"
#include "exchange/worker_placement.h"
#include "nn/network.h"
#include "settings/config.h"
#include "settings/worker_schedule.h"

namespace easgd {

struct ResolvedRun {
  Config config;         ///< as config.toml records it: the choices that were made are in it
  std::string identity;  ///< of the configuration as given, but with its devices chosen
  const Algorithm* algorithm;
  std::vector<Placement> workers;
  CenterPlacement center;
  std::unique_ptr<Data> data;
  std::string data_identity;                  ///< identity_of() it
  std::optional<std::uint64_t> data_content;  ///< content_of() it
  Network network;
  WorkerSchedule schedule;
  Buffer state0;                      ///< [P + S], the start of the center and of every worker
  std::string replay_config;          ///< what a replay has to have in common with this run
  std::vector<std::string> warnings;  ///< what people should know of the choices
};

/// Chooses devices, threads and the center's place, finds and measures the data, makes the network.
/// The only place that changes a configuration.
/// Throws: ConfigError, DataError, DeviceError.
ResolvedRun resolve(Config config);

}  // namespace easgd
