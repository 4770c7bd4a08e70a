// Which order a configuration asks for.
#pragma once

#include <memory>
#include <string>

#include "algorithms/algorithm.h"
#include "exchange/order.h"
#include "settings/config.h"
#include "settings/worker_schedule.h"

namespace easgd {

struct OrderRequest {
  const Config& config;
  const Algorithm& algorithm;
  std::size_t workers;
  const std::string& replay_config;  ///< what a recording has to repeat, see dump_replay_config()
};

/// The order of center.order, of rounds if the exchange is synchronous. `schedule` must outlive it;
/// a replay gives its workers the recorded ends.
/// Throws: DataError if center.replay cannot be read; KeyError if it is of another run.
std::unique_ptr<OrderPolicy> make_order(const OrderRequest& request, WorkerSchedule& schedule);

}  // namespace easgd
