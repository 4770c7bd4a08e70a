#include "exchange/make_order.h"

#include <fmt/format.h>

#include "base/error.h"
#include "exchange/virtual_order.h"

namespace easgd {
namespace {

std::unique_ptr<OrderPolicy> make_virtual_order(const OrderRequest& r,
                                                const WorkerSchedule& schedule) {
  const VirtualConfig& v = r.config.virtual_time;
  const VirtualTimes times{.step_seconds = v.step_seconds,
                           .transfer_seconds = v.transfer_seconds,
                           .jitter = v.jitter,
                           .seed = std::uint64_t(r.config.seed)};
  return virtual_order(schedule, r.algorithm, r.workers, times,
                       r.config.algorithm.exchange == Exchange::synchronous);
}

std::unique_ptr<OrderPolicy> make_replay(const OrderRequest& r, WorkerSchedule& schedule) {
  Recording recording = Recording::read(r.config.center.replay, r.workers);
  recording.check_repeats(r.replay_config, r.config.center.replay);
  if (const auto* back = recording.find(Incident::Kind::went_back, recording.letters.size())) {
    throw KeyError("center.replay",
                   fmt::format("the recorded run went back to version {} and on with a lower rate "
                               "(guard.action), which no replay repeats",
                               back->clock));
  }
  schedule.set_steps(recording.steps);
  schedule.set_lives(recording.lives());
  return replay_order(std::move(recording));
}

}  // namespace

std::unique_ptr<OrderPolicy> make_order(const OrderRequest& r, WorkerSchedule& schedule) {
  const OrderKind kind = r.config.center.order;
  if (kind == OrderKind::virtual_time) return make_virtual_order(r, schedule);
  if (r.config.algorithm.exchange == Exchange::synchronous) return synchronous_order();
  if (kind == OrderKind::replay) return make_replay(r, schedule);
  if (kind == OrderKind::free) return free_order();
  return r.algorithm.timing == Timing::around ? round_robin_pairs() : round_robin_order();
}

}  // namespace easgd
