#include "sweep/capacity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <sstream>
#include <string>

#include "backend/backend_kind.h"
#include "backend/cuda_library.h"
#include "base/error.h"
#include "base/usable_cores.h"

namespace easgd {

Machine machine_for(const SweepPlan& plan) {
  Machine machine{.cores = usable_cores()};
  const std::size_t wanted = plan.most_devices;
  if (wanted == 0) return machine;
  load_cuda();
  std::string why_not;
  for (const Device& device : Registry<BackendKind>::get("cuda").devices()) {
    machine.devices += device.why_not.empty() ? 1 : 0;
    if (!device.why_not.empty()) why_not = "; " + device.why_not;
  }
  if (machine.devices < wanted) {
    throw DeviceError(fmt::format("a run of the sweep has workers on {} GPUs; there are {}{}",
                                  wanted, machine.devices, why_not));
  }
  return machine;
}

std::string visible_devices(const std::vector<std::size_t>& devices, const std::string& ours) {
  std::vector<std::string> names;
  std::istringstream list(ours);
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  std::vector<std::string> chosen;
  for (const std::size_t device : devices) {
    chosen.push_back(device < names.size() ? names[device] : std::to_string(device));
  }
  return fmt::format("{}", fmt::join(chosen, ","));
}

Capacity::Capacity(const Machine& machine, std::size_t concurrent, std::size_t runs_per_device)
    : machine_(machine),
      concurrent_(concurrent),
      runs_per_device_(runs_per_device),
      runs_on_(machine.devices, 0) {}

std::size_t Capacity::cores_of(const Demand& demand) const {
  return std::min(demand.cores, machine_.cores);
}

/// So many devices that have room, those with the fewest runs first.
std::optional<std::vector<std::size_t>> Capacity::least_busy(std::size_t count) const {
  std::vector<std::size_t> order(runs_on_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [this](std::size_t device) { return runs_on_[device]; });
  const std::size_t wanted = std::min(count, order.size());
  order.resize(wanted);
  const auto is_full = [this](std::size_t device) { return runs_on_[device] >= runs_per_device_; };
  if (std::ranges::any_of(order, is_full)) return std::nullopt;
  std::ranges::sort(order);
  return order;
}

bool Capacity::has_room(const Demand& demand) const {
  const bool has_cores = concurrent_ > 0
                             ? running_ < concurrent_
                             : running_ == 0 || cores_taken_ + cores_of(demand) <= machine_.cores;
  return has_cores && least_busy(demand.devices);
}

std::optional<Share> Capacity::take(const Demand& demand) {
  if (!has_room(demand)) return std::nullopt;
  const std::size_t cores = cores_of(demand);
  auto devices = least_busy(demand.devices);
  ++running_;
  cores_taken_ += cores;
  for (const std::size_t device : *devices) ++runs_on_[device];
  return Share{cores, std::move(*devices)};
}

void Capacity::give_back(const Share& share) {
  --running_;
  cores_taken_ -= share.cores;
  for (const std::size_t device : share.devices) --runs_on_[device];
}

double Capacity::fraction_of(const Demand& demand) const {
  if (concurrent_ > 0) return 1.0 / double(concurrent_);
  double fraction = double(cores_of(demand)) / double(machine_.cores);
  if (demand.devices > 0) {
    fraction =
        std::max(fraction, double(demand.devices) / double(machine_.devices * runs_per_device_));
  }
  return std::min(1.0, fraction);
}

}  // namespace easgd
