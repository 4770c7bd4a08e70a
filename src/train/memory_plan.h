// How much memory a run takes, and for what, before it begins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evaluate/run_inputs.h"
#include "exchange/placement.h"
#include "nn/network.h"
#include "settings/config.h"

namespace easgd {

/// What one of the run's parts takes of one memory.
struct MemoryItem {
  std::string place;  ///< "host", "cuda:1"
  std::string what;
  std::uint64_t bytes = 0;
};

struct MemoryPlan {
  std::vector<MemoryItem> items;
  std::vector<std::string> unknown;  ///< what is in no item, and why

  /// Host first.
  std::vector<std::string> places() const;
  std::uint64_t bytes(const std::string& place) const;
};

/// What a run is made of, as far as it is known.
struct PlannedRun {
  const Config& config;
  const Network& network;
  const std::vector<Placement>& workers;
  std::string center_place;  ///< "pinned", "cuda:0", "workers"; "auto" counts as "pinned"
  const Data* data;          ///< null: not there, and not in the plan
  bool asks_devices = true;  ///< makes a model on each kind of GPU, to learn what it takes
};

/// What the run holds when it holds much: with a checkpoint in the making, if it makes any. If one
/// is still being written when the workers end, or the next one begins, there are two.
MemoryPlan plan_memory(const PlannedRun& run);

/// Throws: DeviceError, with the numbers, if the run would take more of the host's or a device's
/// memory than is available. A run that is small beside that is not looked at closely.
void check_fits(const PlannedRun& run);

}  // namespace easgd
