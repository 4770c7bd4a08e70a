// A toy to test the protocol and the algorithms with: F(x) = sum_j h_j x_j^2 / 2 with gradient
// noise that is a function of (worker, step, j), so that a double-precision reference can compute
// the same.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "kernels/philox.h"
#include "train/team.h"

namespace easgd::quadratic {

inline double curvature(std::size_t j) {
  return 0.25 + 0.25 * double(j % 4);
}

/// Uniform in [-1, 1), the same in float and double.
inline double noise(std::uint32_t worker, std::uint64_t step, std::size_t j) {
  const kernels::Random random{7, kernels::Stream::dropout, worker};
  return 2.0 * double(random.at(step, std::uint32_t(j)).uniform(0)) - 1;
}

inline double start(std::size_t j) {
  return 1 + double(j) / 8;
}

inline Buffer start_vector(std::size_t count) {
  Buffer x = host_buffer(count);
  for (std::size_t j = 0; j < count; ++j) x.view()[j] = float(start(j));
  return x;
}

/// A test's places to fail, stop or dawdle: before a batch is handed out, and once a gradient is
/// computed.
using BeforeBatch = std::function<void(std::uint32_t worker, std::uint64_t step)>;
using AfterGradient = std::function<void(std::uint32_t worker, std::uint64_t step, View g)>;

class QuadraticModel final : public Model {
 public:
  QuadraticModel(double noise_scale, AfterGradient after)
      : noise_scale_(noise_scale), after_(std::move(after)) {}

  void gradient(ConstView x, const Batch& batch, View g, View) override {
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double n = noise_scale_ == 0 ? 0 : noise_scale_ * noise(batch.worker, batch.step, j);
      g[j] = float(curvature(j) * double(x[j]) - n);
    }
    if (after_) after_(batch.worker, batch.step, g);
    loss_ = x[0];
  }
  void evaluate(ConstView, const Batch&) override {}
  void observe(ConstView, const Batch&, float, View) override {}
  Tally take_tally() override { return {loss_, 1, 1}; }
  std::size_t memory() const override { return 0; }

 private:
  double noise_scale_;
  AfterGradient after_;
  double loss_ = 0;
};

class StepCounter final : public BatchSource {
 public:
  StepCounter(std::uint32_t worker, BeforeBatch before) : before_(std::move(before)) {
    batch_.worker = worker;
  }
  const Batch& next(std::uint64_t step) override {
    if (before_) before_(batch_.worker, step);
    batch_.step = step;
    return batch_;
  }

 private:
  BeforeBatch before_;
  Batch batch_;
};

inline WorkerParts parts(std::uint32_t worker, double noise_scale, AfterGradient after,
                         BeforeBatch before) {
  return {
      .backend = [] { return (*Registry<BackendEntry>::find("cpu"))(BackendOptions{}); },
      .model = [=](Backend&) { return std::make_unique<QuadraticModel>(noise_scale, after); },
      .batches = [=](Backend&) { return std::make_unique<StepCounter>(worker, before); },
  };
}

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
  bool stop_on_failure = false;
  std::function<void(TeamOptions&)> change;  ///< of the finished options

  TeamOptions options(const Plan& plan, ConstView x0) const {
    TeamOptions o{.algorithm = Registry<Algorithm>::find(config.algorithm.name),
                  .plan = &plan,
                  .center = center_options(config),
                  .workers = {},
                  .order = order(),
                  .state0 = x0,
                  .stop_on_failure = stop_on_failure,
                  .on_version = {},
                  .on_failure = on_failure};
    if (on_version) {
      o.on_version = [heed = on_version](const CenterView& center) {
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
    const Plan plan(config, workers, 1);
    Team team(options(plan, x0));
    team.start();
    team.join();
    const ConstView c = team.center().view().center;
    return {c.begin(), c.end()};
  }
};

}  // namespace easgd::quadratic
