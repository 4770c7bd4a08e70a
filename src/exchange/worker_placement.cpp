#include "exchange/worker_placement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backend/cuda_library.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/nearest.h"
#include "base/usable_cores.h"

namespace easgd {
namespace {

constexpr const char* kWithoutDevice = "workers.devices = \"auto\" or \"cpu\"";

/// "cpu", "cuda:1", or "1" for the same.
Placement parse_device(const std::string& word) {
  if (word == "cpu") return {"cpu", {}};
  if (word == "auto") {
    throw KeyError("workers.devices", "\"auto\" stands alone, and chooses all of them");
  }
  if (const auto device = named_cuda_device(word)) return *device;
  if (const auto device = named_cuda_device("cuda:" + word)) return *device;
  throw KeyError(
      "workers.devices",
      fmt::format("expected \"auto\", \"cpu\", or \"cuda:<n>\" or n of 0..999, several in "
                  "brackets or as \"4 x cpu\"; found \"{}\"{}",
                  word, did_you_mean(word, {"cpu", "cuda:0", "auto"})));
}

bool is_auto(const std::vector<std::string>& devices) {
  return devices == std::vector<std::string>{"auto"};
}

/// One worker per GPU that this program can use, else one per core. A machine with a driver gets a
/// remark that says why there is no GPU.
WorkerPlacement choose_devices() {
  WorkerPlacement chosen;
  if (has_cuda_driver()) {
    try {
      load_cuda();
      const std::vector<Device> devices = Registry<BackendKind>::get("cuda").devices();
      std::vector<std::string> left_out;
      for (std::size_t i = 0; i < devices.size(); ++i) {
        const Placement placement = cuda_device(int(i));
        if (devices[i].why_not.empty()) {
          chosen.placements.push_back(placement);
        } else {
          left_out.push_back(fmt::format("{}: {}", placement.name(), devices[i].why_not));
        }
      }
      const std::string why_not = fmt::format("{}", fmt::join(left_out, "; "));
      if (chosen.placements.empty()) throw DeviceError(why_not);
      if (!left_out.empty()) {
        chosen.remark = fmt::format("workers.devices = \"auto\" leaves out {}", why_not);
      }
      return chosen;
    } catch (const DeviceError& e) {
      chosen.remark = fmt::format("workers.devices = \"auto\" takes the CPU: {}", e.what());
    }
  }
  chosen.placements.assign(std::min(usable_cores(), kMostAutoWorkers), {"cpu", {}});
  return chosen;
}

/// Gives each CPU worker `threads`; 0: its share of the cores, as far as OMP_THREAD_LIMIT allows.
/// They are bound to no core: the kernel moves them to where no other process computes.
/// Returns a remark for people, or nothing.
std::string share_cores(std::vector<Placement>& placements, std::size_t threads) {
  const std::size_t cores = usable_cores();
  const auto limit = most_threads();
  if (threads > cores) {
    throw KeyError("workers.threads",
                   fmt::format("{} is more than there is: {}; expected {} or less", threads,
                               describe_cores(), cores));
  }
  if (threads > limit) {
    throw KeyError("workers.threads",
                   fmt::format("{} is more than OMP_THREAD_LIMIT allows: {}", threads, limit));
  }
  const auto cpu_workers = std::size_t(
      std::ranges::count_if(placements, [](const Placement& p) { return p.kind == "cpu"; }));
  if (cpu_workers == 0) return {};
  const std::size_t share = std::max<std::size_t>(1, cores / cpu_workers);
  if (threads == 0) threads = std::min(share, limit);
  for (Placement& placement : placements) {
    if (placement.kind == "cpu") placement.options.threads = int(threads);
  }
  return threads < share && threads == limit
             ? fmt::format("OMP_THREAD_LIMIT gives each worker {} of {} threads", limit, share)
             : "";
}

}  // namespace

WorkerPlacement named_workers(const WorkersConfig& workers, bool single_worker) {
  WorkerPlacement result;
  std::vector<Placement>& placements = result.placements;
  if (is_auto(workers.devices)) {
    result = choose_devices();
    if (single_worker) placements.resize(1);
  } else {
    for (const std::string& word : workers.each_device()) placements.push_back(parse_device(word));
  }
  if (placements.empty()) {
    throw KeyError("workers.devices", "is empty; expected a device for each worker");
  }
  if (placements.size() > kMostWorkers) {
    throw KeyError("workers.devices", fmt::format("more than {} workers", kMostWorkers));
  }
  return result;
}

WorkerPlacement place_workers(const WorkersConfig& workers, bool single_worker) {
  WorkerPlacement result = named_workers(workers, single_worker);
  std::vector<Placement>& placements = result.placements;
  for (const Placement& placement : placements) {
    if (placement.kind != "cpu") check_present(placement, kWithoutDevice);
  }
  const std::string remark = share_cores(placements, std::size_t(workers.threads));
  if (!remark.empty()) result.remark += (result.remark.empty() ? "" : "; ") + remark;
  return result;
}

Placement place_evaluation(const WorkersConfig& workers, const EvaluateConfig& evaluate) {
  const Placement first = is_auto(workers.devices) ? choose_devices().placements[0]
                                                   : parse_device(workers.each_device()[0]);
  if (first.kind == "cpu") {
    const std::size_t most = std::min(usable_cores(), most_threads());
    return {"cpu", {.index = 0, .threads = int(std::min(std::size_t(evaluate.threads), most))}};
  }
  check_present(first, kWithoutDevice);
  return first;
}

}  // namespace easgd
