#include "exchange/place_center.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "backend/collective_trial.h"
#include "backend/cuda_library.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/usable_cores.h"

namespace easgd {
namespace {

constexpr const char* kOnWorkers = "workers";
constexpr std::size_t kMasterThreads = 4;

/// Why the center cannot be on every worker's device: all reasons.
std::vector<std::string> why_not_on_workers(const Config& config,
                                            const std::vector<Placement>& workers) {
  const AlgorithmConfig& algorithm = config.algorithm;
  std::vector<std::string> reasons;
  if (config.workers.on_failure == OnFailure::restart || config.workers.patience > 0) {
    reasons.push_back("is not for workers that begin again or are given up");
  }
  if (algorithm.exchange != Exchange::synchronous) {
    reasons.push_back("needs algorithm.exchange = \"synchronous\"");
  }
  if (!Registry<Algorithm>::get(algorithm.name).absorbs_sums) {
    reasons.push_back(fmt::format("is not for {}, whose center needs more of a round than a sum",
                                  algorithm.name));
  }
  std::set<int> devices;
  for (const Placement& worker : workers) {
    if (worker.kind == "cuda") devices.insert(worker.options.index);
  }
  if (devices.size() < workers.size() || devices.size() < 2) {
    reasons.push_back(
        fmt::format("needs two workers or more, each with a CUDA device of its own; found {}",
                    fmt::join(names_of(workers), " ")));
  }
  return reasons;
}

/// Letters are waited for, gradients are not.
MakeBackend on_device_urgently(Placement device) {
  device.options.urgent = true;
  return [device] { return device.make_backend(); };
}

/// Where no worker is on the CPU, a large center has several of its threads: one reads and writes
/// memory at a fraction of its speed.
CenterPlacement in_host_memory(const std::vector<Placement>& workers) {
  const bool on_cpu = std::ranges::count(workers, "cpu", &Placement::kind) > 0;
  const std::size_t cores = usable_cores(), taken = on_cpu ? cores : workers.size();
  const std::size_t most = std::min(kMasterThreads, most_threads());
  const auto threads = int(std::clamp<std::size_t>(cores - std::min(taken, cores), 1, most));
  return {.devices = {[threads] { return make_backend("cpu", {.threads = threads}); }},
          .threads = threads};
}

/// Throws: DeviceError.
CenterPlacement on_workers(const std::vector<Placement>& workers) {
  load_nccl();
  CenterPlacement placement{.name = kOnWorkers,
                            .devices = {},
                            .routes = std::vector(workers.size(), Route::peer),
                            .collective = Registry<MakeCollective>::get("cuda")};
  std::vector<std::unique_ptr<Backend>> made;
  std::vector<Backend*> backends;
  for (const Placement& worker : workers) {
    const MakeBackend& make = placement.devices.emplace_back(on_device_urgently(worker));
    backends.push_back(made.emplace_back(make()).get());
  }
  try_sums(backends, placement.collective);
  return placement;
}

CenterPlacement on_workers_if_there(const std::vector<Placement>& workers) {
  try {
    return on_workers(workers);
  } catch (const DeviceError& e) {
    CenterPlacement placement = in_host_memory(workers);
    placement.remark = fmt::format("{}; letters are added up in host memory instead", e.what());
    return placement;
  }
}

CenterPlacement on_device(const Placement& device, const std::vector<Placement>& workers) {
  const std::string name = device.name();
  check_present(device, "center.place = \"pinned\"");
  CenterPlacement placement{.name = name, .devices = {on_device_urgently(device)}};
  std::set<std::string> without_path;
  for (const Placement& worker : workers) {
    const bool peer = worker.kind == device.kind && Registry<BackendKind>::get("cuda").open_peer(
                                                        worker.options.index, device.options.index);
    placement.routes.push_back(peer ? Route::peer : Route::staged);
    if (!peer && worker.kind == device.kind) without_path.insert(worker.name());
  }
  if (!without_path.empty()) {
    placement.remark =
        fmt::format("letters of {} go to {} through host memory: no peer access that is exact",
                    fmt::join(without_path, " "), name);
  }
  return placement;
}

}  // namespace

CenterPlacement place_center(const Config& config, const std::vector<Placement>& workers) {
  const std::string& place = config.center.place;
  if (place == "pinned") return in_host_memory(workers);
  if (const auto device = named_cuda_device(place)) return on_device(*device, workers);
  if (place != "auto" && place != kOnWorkers) {
    throw KeyError("center.place",
                   fmt::format("expected \"auto\", \"pinned\", \"workers\" or "
                               "\"cuda:<n>\", n of 0..999; found \"{}\"{}",
                               place, did_you_mean(place, {"auto", "pinned", kOnWorkers})));
  }
  const auto why_not = why_not_on_workers(config, workers);
  if (place == "auto")
    return why_not.empty() ? on_workers_if_there(workers) : in_host_memory(workers);
  if (why_not.empty()) return on_workers(workers);
  throw KeyError("center.place", fmt::format("\"{}\" {}", place, fmt::join(why_not, ", and ")));
}

}  // namespace easgd
