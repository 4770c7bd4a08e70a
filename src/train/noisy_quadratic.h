// A problem small enough to be computed by hand: F(x) = sum_j h_j x_j^2 / 2, whose gradient carries
// noise that is a function of (worker, step, j). Fingerprints and tests run the program's own
// workers and master on it.
#pragma once

#include <functional>

#include "backend/backend.h"
#include "data/batch.h"
#include "exchange/worker.h"

namespace easgd::quadratic {

/// h_j
double curvature(std::size_t j);
/// Uniform in [-1, 1), the same in float and double.
double noise(std::uint32_t worker, std::uint64_t step, std::size_t j);
/// x_j of the start.
double start(std::size_t j);
/// The start [count].
Buffer start_vector(std::size_t count);

/// A caller's places to fail, stop or dawdle, on the worker's thread: before a batch is handed out,
/// and once a gradient is computed.
using BeforeBatch = std::function<void(std::uint32_t worker, std::uint64_t step)>;
using AfterGradient = std::function<void(std::uint32_t worker, std::uint64_t step, View g)>;

/// g_j = h_j x_j - noise_scale noise_j; the loss that it reports is x_0.
class QuadraticModel final : public Model {
 public:
  QuadraticModel(double noise_scale, AfterGradient after)
      : noise_scale_(noise_scale), after_(std::move(after)) {}

  void gradient(ConstView x, const Batch& batch, View g, View statistics) override;
  void evaluate(ConstView, const Batch&) override {}
  void observe(ConstView, const Batch&, float, View) override {}
  Tally take_tally() override { return {loss_, 1, 1}; }
  void give_back(const Tally&) override {}
  std::size_t memory() const override { return 0; }

 private:
  double noise_scale_;
  AfterGradient after_;
  double loss_ = 0;
};

/// Batches that hold nothing but whose they are and their step.
class StepCounter final : public BatchSource {
 public:
  StepCounter(std::uint32_t worker, BeforeBatch before) : before_(std::move(before)) {
    batch_.worker = worker;
  }
  const Batch& next(std::uint64_t step) override;

 private:
  BeforeBatch before_;
  Batch batch_;
};

/// A worker on the CPU.
WorkerParts parts(std::uint32_t worker, double noise_scale, AfterGradient after = {},
                  BeforeBatch before = {});

}  // namespace easgd::quadratic
