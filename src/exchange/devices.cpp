#include "exchange/devices.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "backend/collective_trial.h"
#include "backend/cuda_library.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/nearest.h"
#include "base/usable_cores.h"

namespace easgd {
namespace {

constexpr const char* kWithoutDevice = "workers.devices = \"auto\" or \"cpu\"";

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 4 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// That one worker on the CPU can have.
std::size_t most_threads() {
  return std::size_t(Registry<BackendKind>::get("cpu").most_threads());
}

Placement cuda_device(int index) {
  return {"cuda", {.index = index, .threads = 1}};
}

/// "cpu", "cuda:1", or "1" for the same.
Placement parse_device(const std::string& word) {
  if (word == "cpu") return {"cpu", {}};
  if (word == "auto") {
    throw KeyError("workers.devices", "\"auto\" stands alone, and chooses all of them");
  }
  const std::string number = word.starts_with("cuda:") ? word.substr(5) : word;
  if (!is_number(number)) {
    throw KeyError(
        "workers.devices",
        fmt::format("expected \"auto\", \"cpu\", or \"cuda:<n>\" or n of 0..999, and several in "
                    "brackets; found \"{}\"{}",
                    word, did_you_mean(word, {"cpu", "cuda:0", "auto"})));
  }
  return cuda_device(std::stoi(number));
}

void check_present(const Placement& place, const char* remedy) {
  try {
    load_cuda();
    const std::vector<Device> devices = Registry<BackendKind>::get(place.kind).devices();
    if (std::size_t(place.options.index) >= devices.size()) {
      throw DeviceError(
          fmt::format("no CUDA device of this number; there are {}, from 0", devices.size()));
    }
    const Device& device = devices[std::size_t(place.options.index)];
    if (!device.why_not.empty()) throw DeviceError(device.why_not);
  } catch (const DeviceError& e) {
    throw DeviceError(fmt::format("{}: {}; use {}", place.name(), e.what(), remedy));
  }
}

bool is_auto(const std::vector<std::string>& devices) {
  return devices == std::vector<std::string>{"auto"};
}

/// A worker a GPU that this program can use, else a worker a core. A machine with a driver is told
/// why there is no GPU.
WorkerPlaces choose_devices() {
  WorkerPlaces chosen;
  if (has_cuda_driver()) {
    try {
      load_cuda();
      const std::vector<Device> devices = Registry<BackendKind>::get("cuda").devices();
      std::vector<std::string> left_out;
      for (std::size_t i = 0; i < devices.size(); ++i) {
        const Placement place = cuda_device(int(i));
        if (devices[i].why_not.empty()) {
          chosen.places.push_back(place);
        } else {
          left_out.push_back(fmt::format("{}: {}", place.name(), devices[i].why_not));
        }
      }
      const std::string why_not = fmt::format("{}", fmt::join(left_out, "; "));
      if (chosen.places.empty()) throw DeviceError(why_not);
      if (!left_out.empty()) {
        chosen.remark = fmt::format("workers.devices = \"auto\" leaves out {}", why_not);
      }
      return chosen;
    } catch (const DeviceError& e) {
      chosen.remark = fmt::format("workers.devices = \"auto\" takes the CPU: {}", e.what());
    }
  }
  chosen.places.assign(std::min(usable_cores(), kMostAutoWorkers), {"cpu", {}});
  return chosen;
}

/// Gives each CPU worker `threads`; 0: its share of the cores, as far as OMP_THREAD_LIMIT allows.
/// They are bound to no core: the kernel moves them to where no other process computes.
/// Returns what is to be told.
std::string share_cores(std::vector<Placement>& places, std::size_t threads) {
  const std::size_t cores = usable_cores();
  const auto limit = most_threads();
  if (threads > cores) {
    throw KeyError("workers.threads",
                   fmt::format("{} is more than there is: {}", threads, describe_cores()));
  }
  if (threads > limit) {
    throw KeyError("workers.threads",
                   fmt::format("{} is more than OMP_THREAD_LIMIT allows: {}", threads, limit));
  }
  const auto cpu_workers = std::size_t(
      std::ranges::count_if(places, [](const Placement& p) { return p.kind == "cpu"; }));
  if (cpu_workers == 0) return {};
  const std::size_t share = std::max<std::size_t>(1, cores / cpu_workers);
  if (threads == 0) threads = std::min(share, limit);
  for (Placement& place : places) {
    if (place.kind == "cpu") place.options.threads = int(threads);
  }
  return threads < share && threads == limit
             ? fmt::format("OMP_THREAD_LIMIT gives each worker {} of {} threads", limit, share)
             : "";
}

}  // namespace

std::vector<std::string> names_of(const std::vector<Placement>& places) {
  std::vector<std::string> names;
  for (const Placement& place : places) names.push_back(place.name());
  return names;
}

std::string Placement::name() const {
  return kind == "cpu" ? kind : fmt::format("{}:{}", kind, options.index);
}

WorkerPlaces place_workers(const WorkersConfig& workers, bool single_worker) {
  WorkerPlaces result;
  std::vector<Placement>& places = result.places;
  if (is_auto(workers.devices)) {
    result = choose_devices();
    if (single_worker) places.resize(1);
  } else {
    for (const std::string& word : workers.devices) places.push_back(parse_device(word));
  }
  if (places.empty()) throw KeyError("workers.devices", "is empty; expected a device a worker");
  if (places.size() > kMostWorkers) {
    throw KeyError("workers.devices", fmt::format("more than {} workers", kMostWorkers));
  }
  if (single_worker && places.size() > 1) {
    throw KeyError("workers.devices",
                   fmt::format("this algorithm has one worker; found {} devices; as in --set "
                               "workers.devices=cpu",
                               places.size()));
  }
  for (const Placement& place : places) {
    if (place.kind != "cpu") check_present(place, kWithoutDevice);
  }
  const std::string remark = share_cores(places, std::size_t(workers.threads));
  if (!remark.empty()) result.remark += (result.remark.empty() ? "" : "; ") + remark;
  return result;
}

Placement place_evaluation(const WorkersConfig& workers, const EvaluateConfig& evaluate) {
  const Placement first =
      is_auto(workers.devices) ? choose_devices().places[0] : parse_device(workers.devices[0]);
  if (first.kind == "cpu") {
    const std::size_t most = std::min(usable_cores(), most_threads());
    return {"cpu", {.index = 0, .threads = int(std::min(std::size_t(evaluate.threads), most))}};
  }
  check_present(first, kWithoutDevice);
  return first;
}

namespace {

constexpr const char* kOnWorkers = "workers";
constexpr std::size_t kMasterThreads = 4;

/// Why the center cannot be on every worker's device: all reasons.
std::vector<std::string> why_not_on_workers(const AlgorithmConfig& algorithm,
                                            const std::vector<Placement>& workers) {
  std::vector<std::string> reasons;
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
  CenterPlacement place{.name = kOnWorkers,
                        .devices = {},
                        .routes = std::vector(workers.size(), Route::peer),
                        .collective = Registry<MakeCollective>::get("cuda")};
  std::vector<std::unique_ptr<Backend>> made;
  std::vector<Backend*> backends;
  for (const Placement& worker : workers) {
    const MakeBackend& make = place.devices.emplace_back(on_device_urgently(worker));
    backends.push_back(made.emplace_back(make()).get());
  }
  try_sums(backends, place.collective);
  return place;
}

CenterPlacement on_workers_if_there(const std::vector<Placement>& workers) {
  try {
    return on_workers(workers);
  } catch (const DeviceError& e) {
    CenterPlacement place = in_host_memory(workers);
    place.remark = fmt::format("{}; letters are added up in host memory instead", e.what());
    return place;
  }
}

CenterPlacement on_device(const std::string& name, const std::vector<Placement>& workers) {
  const Placement device = cuda_device(std::stoi(name.substr(5)));
  check_present(device, "center.place = \"pinned\"");
  CenterPlacement place{.name = name, .devices = {on_device_urgently(device)}};
  std::set<std::string> without_path;
  for (const Placement& worker : workers) {
    const bool peer = worker.kind == device.kind && Registry<BackendKind>::get("cuda").open_peer(
                                                        worker.options.index, device.options.index);
    place.routes.push_back(peer ? Route::peer : Route::staged);
    if (!peer && worker.kind == device.kind) without_path.insert(worker.name());
  }
  if (!without_path.empty()) {
    place.remark =
        fmt::format("letters of {} go to {} through host memory: no peer access that is exact",
                    fmt::join(without_path, " "), name);
  }
  return place;
}

}  // namespace

CenterPlacement place_center(const Config& config, const std::vector<Placement>& workers) {
  const std::string& place = config.center.place;
  if (place == "pinned") return in_host_memory(workers);
  if (place.starts_with("cuda:") && is_number(place.substr(5))) return on_device(place, workers);
  if (place != "auto" && place != kOnWorkers) {
    throw KeyError("center.place",
                   fmt::format("expected \"auto\", \"pinned\", \"workers\" or "
                               "\"cuda:<n>\", n of 0..999; found \"{}\"{}",
                               place, did_you_mean(place, {"auto", "pinned", kOnWorkers})));
  }
  const auto why_not = why_not_on_workers(config.algorithm, workers);
  if (place == "auto")
    return why_not.empty() ? on_workers_if_there(workers) : in_host_memory(workers);
  if (why_not.empty()) return on_workers(workers);
  throw KeyError("center.place", fmt::format("\"{}\" {}", place, fmt::join(why_not, ", and ")));
}

}  // namespace easgd
