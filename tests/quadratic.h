// Runs on the noisy quadratic, to test the protocol and the algorithms with.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "exchange/team.h"
#include "settings/algorithm_keys.h"
#include "train/noisy_quadratic.h"

namespace easgd::quadratic {

/// A run of `workers` on the toy from start to end.
struct Toy {
  Config config;
  std::size_t workers = 1;
  std::size_t count = 8;
  double noise_scale = 1;
  AfterGradient after_gradient;
  BeforeBatch before_batch;
  std::function<std::unique_ptr<OrderPolicy>()> order = round_robin_order;
  std::function<void(const CenterView&)> on_version;
  std::function<void(int, const std::string&)> on_failure;
  std::function<void(const WorkerFailure&)> on_worker_failure;
  bool stop_on_failure = false;
  FailurePolicy policy;
  std::function<void(TeamOptions&)> change;  ///< of the finished options

  TeamOptions options(const WorkerSchedule& schedule, ConstView x0) const {
    TeamOptions o{.algorithm = Registry<Algorithm>::find(config.algorithm.name),
                  .schedule = &schedule,
                  .own = rule_options(config.algorithm, workers).own,
                  .placement = {},
                  .workers = {},
                  .order = order(),
                  .state0 = x0,
                  .policy = policy,
                  .on_version = {},
                  .on_failure = {}};
    if (on_worker_failure) {
      o.on_failure = [tell = on_worker_failure](const WorkerFailure& f, double) { tell(f); };
    }
    if (stop_on_failure) o.policy.on_failure = OnFailure::stop;
    if (on_failure) {
      o.on_failure = [tell = on_failure](const WorkerFailure& f, double) {
        tell(int(f.worker), f.why);
      };
    }
    if (on_version) {
      o.on_version = [heed = on_version](const CenterView& center, double) {
        heed(center);
        return false;
      };
    }
    for (std::size_t i = 0; i < workers; ++i) {
      o.workers.push_back(parts(std::uint32_t(i), noise_scale, after_gradient, before_batch));
    }
    if (change) change(o);
    return o;
  }

  /// The center at the end.
  std::vector<float> run() const {
    const Buffer x0 = start_vector(count);
    const WorkerSchedule schedule(config, workers, 1);
    Team team(options(schedule, x0));
    team.start();
    team.join();
    const ConstView c = team.master().view().center;
    return {c.begin(), c.end()};
  }
};

}  // namespace easgd::quadratic
