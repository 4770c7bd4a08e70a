// Running statistics on their way from the workers to the center: the tail of every letter, which no
// algorithm moves.
#include "train/statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "quadratic.h"

using namespace easgd;
using quadratic::Toy;

namespace {

constexpr std::size_t kWorkers = 3, kSteps = 40, kTau = 4;

using AfterStatistics = std::function<void(const Batch&, float& statistic)>;

/// The quadratic, with one statistic that moves half of the way to worker + step / 10.
class CountingModel final : public Model {
 public:
  explicit CountingModel(AfterStatistics after) : after_(std::move(after)) {}
  void gradient(ConstView x, const Batch& batch, View g, View statistics) override {
    model_.gradient(x, batch, g, {});
    float& s = statistics[0];
    s += 0.5f * (float(batch.worker) + float(batch.step) / 10 - s);
    if (after_) after_(batch, s);
  }
  void evaluate(ConstView, const Batch&) override {}
  void observe(ConstView, const Batch&, float, View) override {}
  Tally take_tally() override { return model_.take_tally(); }
  std::size_t memory() const override { return 0; }

 private:
  quadratic::QuadraticModel model_{1, {}};
  AfterStatistics after_;
};

struct Outcome {
  std::vector<float> center;
  float statistic;
  std::uint64_t refused = 0;
};

Toy toy_of(const char* exchange) {
  Toy toy;
  toy.workers = kWorkers;
  toy.config.algorithm.name = "easgd";
  toy.config.algorithm.exchange = exchange;
  toy.config.algorithm.tau = kTau;
  toy.config.algorithm.beta = 0.9;
  toy.config.algorithm.learning_rate = 0.05;
  toy.config.stop.steps = kSteps;
  if (exchange == std::string("synchronous")) toy.order = synchronous_order;
  return toy;
}

Outcome run(const Toy& toy, StatisticsPolicy policy, AfterStatistics after = {}) {
  Buffer state = host_buffer(toy.count + 1);
  std::ranges::copy(quadratic::start_vector(toy.count).view(), state.view().begin());
  state.view().back() = 1;
  const Plan plan(toy.config, toy.workers, 1);
  TeamOptions options = toy.options(plan, state);
  options.statistics = {1, policy};
  for (WorkerParts& parts : options.workers) {
    parts.model = [after](Backend&) { return std::make_unique<CountingModel>(after); };
  }
  Team team(std::move(options));
  team.start();
  team.join();
  const CenterView view = team.center().view();
  Outcome outcome{{view.center.begin(), view.center.end()}, view.statistics[0]};
  for (std::size_t i = 0; i < kWorkers; ++i) outcome.refused += team.telemetry(i).refused;
  return outcome;
}

/// The same in double: workers take turns in rounds of kTau steps.
double expected(StatisticsPolicy policy, bool synchronous) {
  double worker[kWorkers], center = 1;
  std::fill(worker, worker + kWorkers, 1.0);
  for (std::size_t step = 0; step < kSteps; ++step) {
    if (step % kTau == 0) {
      const double before = center;
      for (const double s : worker) {
        const double from = synchronous ? before : center;
        center = policy == StatisticsPolicy::keep ? s : center + (s - from) / kWorkers;
      }
    }
    for (std::size_t i = 0; i < kWorkers; ++i) {
      worker[i] += 0.5 * (double(i) + double(step) / 10 - worker[i]);
    }
  }
  return center;
}

}  // namespace

TEST_CASE("the center's running statistics are the policy's, whatever the exchange") {
  for (const bool synchronous : {false, true}) {
    const Toy toy = toy_of(synchronous ? "synchronous" : "asynchronous");
    for (const auto policy : {StatisticsPolicy::average, StatisticsPolicy::keep}) {
      CAPTURE(synchronous);
      CAPTURE(int(policy));
      const double wanted = expected(policy, synchronous);
      CHECK(wanted > 2);  // not where it started
      CHECK(double(run(toy, policy).statistic) == doctest::Approx(wanted).epsilon(1e-5));
    }
  }
}

TEST_CASE("parameters are the same bits with and without running statistics") {
  const Toy toy = toy_of("asynchronous");
  CHECK(run(toy, StatisticsPolicy::average).center == toy.run());
}

TEST_CASE("statistics that are not finite are refused, and the worker starts from the center's") {
  const auto once = [](const Batch& batch, float& s) {
    if (batch.worker == 1 && batch.step == 9) s = NAN;
  };
  const Outcome outcome = run(toy_of("asynchronous"), StatisticsPolicy::average, once);
  CHECK(outcome.refused == 1);
  CHECK(std::isfinite(outcome.statistic));
  CHECK(double(outcome.statistic) ==
        doctest::Approx(expected(StatisticsPolicy::average, false)).epsilon(0.05));
}
