// Many workers on few devices: an order of absorption that is that of a virtual clock.
//
//   worker:  step_seconds (1 + jitter u) a step, u uniform in [-1, 1) of (seed, worker, step)
//   link:    transfer_seconds for a letter or a reply, one way
//   master:  absorbs letters in the order of their virtual arrival, in no time
//
// Where no worker fails or is stopped, times follow from the schedule alone: the order does not
// depend on the machine. Workers compute side by side as far as their letters' order lets them.
#pragma once

#include "exchange/order.h"
#include "settings/worker_schedule.h"

namespace easgd {

struct VirtualTimes {
  double step_seconds = 1;
  double transfer_seconds = 0;
  double jitter = 0;
  std::uint64_t seed = 0;
};

/// `synchronous`: rounds of all workers that have not left. `schedule` must outlive the order, and
/// give every worker an end.
std::unique_ptr<OrderPolicy> virtual_order(const WorkerSchedule& schedule,
                                           const Algorithm& algorithm, std::size_t workers,
                                           const VirtualTimes& times, bool synchronous);

}  // namespace easgd
