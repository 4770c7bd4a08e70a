// How many runs the machine has room for, and on which devices each runs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sweep/plan.h"

namespace easgd {

struct Machine {
  std::size_t cores = 1;
  std::size_t devices = 0;  ///< GPUs
};

/// The cores that this process may use; its GPUs are counted only if some run wants one.
/// Throws: DeviceError if a run wants more than there are.
Machine machine_for(const SweepPlan& plan);

/// What a run has been given.
struct Share {
  std::size_t cores = 0;
  std::vector<std::size_t> devices = {};  ///< numbers, in the order of the run's own
};

/// What a run's process has as CUDA_VISIBLE_DEVICES: numbers of this process's GPUs by the names
/// that the driver takes. `ours` is this process's own list, empty if it has none.
std::string visible_devices(const std::vector<std::size_t>& devices, const std::string& ours);

class Capacity {
 public:
  /// `concurrent`: runs at once, however many threads they have; 0: no more threads than cores,
  /// unless one run alone has more.
  Capacity(const Machine& machine, std::size_t concurrent, std::size_t runs_per_device);

  bool has_room(const Demand& demand) const;
  /// Nothing if there is no room now.
  std::optional<Share> take(const Demand& demand);
  void give_back(const Share& share);

  /// The share of the machine that a run takes while it runs, above 0 up to 1.
  double fraction_of(const Demand& demand) const;

 private:
  std::size_t cores_of(const Demand& demand) const;
  std::optional<std::vector<std::size_t>> least_busy(std::size_t count) const;

  Machine machine_;
  std::size_t concurrent_;
  std::size_t runs_per_device_;
  std::size_t running_ = 0, cores_taken_ = 0;
  std::vector<std::size_t> runs_on_;  // each device
};

}  // namespace easgd
