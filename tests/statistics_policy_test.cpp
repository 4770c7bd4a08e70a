// Running statistics on their way from the workers to the center: the tail of every letter, which
// no algorithm moves.
#include "algorithms/statistics_policy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <optional>
#include <utility>
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
  void give_back(const Tally& tally) override { model_.give_back(tally); }
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

Toy toy_of(const char* exchange, const char* algorithm = "easgd") {
  Toy toy;
  toy.workers = kWorkers;
  toy.config.algorithm.name = algorithm;
  toy.config.algorithm.exchange = config::named<Exchange>(exchange);
  toy.config.algorithm.tau = kTau;
  if (Registry<Algorithm>::get(algorithm).coupling != Coupling::none) {
    toy.config.algorithm.beta = 0.9;
  }
  toy.config.algorithm.learning_rate = 0.05;
  toy.config.stop.steps = kSteps;
  if (exchange == std::string("synchronous")) toy.order = synchronous_order;
  return toy;
}

Outcome run(const Toy& toy, StatisticsPolicy policy, AfterStatistics after = {}) {
  Buffer state = host_buffer(toy.count + 1);
  std::ranges::copy(quadratic::start_vector(toy.count).view(), state.view().begin());
  state.view().back() = 1;
  const WorkerSchedule schedule(toy.config, toy.workers, 1);
  TeamOptions options = toy.options(schedule, state);
  options.statistics = {1, policy};
  for (WorkerParts& parts : options.workers) {
    parts.model = [after](Backend&) { return std::make_unique<CountingModel>(after); };
  }
  Team team(std::move(options));
  team.start();
  team.join();
  const CenterView view = team.master().view();
  Outcome outcome{{view.center.begin(), view.center.end()}, view.statistics[0]};
  for (std::size_t i = 0; i < kWorkers; ++i) outcome.refused += team.telemetry(i).refused;
  return outcome;
}

/// The same in double: workers take turns in rounds of kTau steps. From step `broken` on, worker 1
/// has no finite statistic until it starts again from the center's.
double expected(StatisticsPolicy policy, bool synchronous, const Algorithm& algorithm,
                std::optional<std::size_t> broken = {}) {
  double worker[kWorkers], center = 1;
  std::optional<double> restart[kWorkers];
  std::fill(worker, worker + kWorkers, 1.0);
  const auto exchange = [&] {
    const double before = center;
    for (std::size_t i = 0; i < kWorkers; ++i) {
      const double from = synchronous ? before : center;
      if (!std::isfinite(worker[i])) {
        restart[i] = from;
      } else {
        center =
            policy == StatisticsPolicy::keep ? worker[i] : center + (worker[i] - from) / kWorkers;
      }
    }
  };
  const auto start_again = [&] {
    for (std::size_t i = 0; i < kWorkers; ++i) {
      if (restart[i]) worker[i] = *std::exchange(restart[i], {});
    }
  };
  for (std::size_t step = 0; step < kSteps; ++step) {
    const bool letters = step % kTau == 0;
    if (letters && algorithm.timing != Timing::around) exchange();
    if (algorithm.timing == Timing::before) start_again();
    for (std::size_t i = 0; i < kWorkers; ++i) {
      worker[i] += 0.5 * (double(i) + double(step) / 10 - worker[i]);
      if (broken == step && i == 1) worker[i] = NAN;
    }
    if (letters && algorithm.timing == Timing::around) exchange();
    start_again();
  }
  if (algorithm.last_letter) exchange();
  return center;
}

/// Every time at which a letter may travel.
void for_each_timing(const std::function<void(const Toy&, bool synchronous, const Algorithm&)>& f) {
  for (const char* name : {"easgd", "easgd_tree", "downpour", "easgd_gauss_seidel"}) {
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    for (const bool synchronous : {false, true}) {
      if (synchronous && name != std::string("easgd")) continue;
      CAPTURE(name);
      CAPTURE(synchronous);
      Toy toy = toy_of(synchronous ? "synchronous" : "asynchronous", name);
      if (algorithm.timing == Timing::around) toy.order = round_robin_pairs;
      f(toy, synchronous, algorithm);
    }
  }
}

}  // namespace

TEST_CASE("the center's running statistics are the policy's, whatever the exchange") {
  for_each_timing([](const Toy& toy, bool synchronous, const Algorithm& algorithm) {
    for (const auto policy : {StatisticsPolicy::average, StatisticsPolicy::keep}) {
      CAPTURE(int(policy));
      const double wanted = expected(policy, synchronous, algorithm);
      CHECK(wanted > 2);  // not where it started
      CHECK(double(run(toy, policy).statistic) == doctest::Approx(wanted).epsilon(1e-5));
    }
  });
}

TEST_CASE("parameters are the same bits with and without running statistics") {
  for_each_timing([](const Toy& toy, bool, const Algorithm&) {
    CHECK(run(toy, StatisticsPolicy::average).center == toy.run());
  });
}

TEST_CASE("statistics that are not finite are refused, and the worker starts from the center's") {
  const auto once = [](const Batch& batch, float& s) {
    if (batch.worker == 1 && batch.step == 33) s = NAN;
  };
  for_each_timing([&](const Toy& toy, bool synchronous, const Algorithm& algorithm) {
    const Outcome outcome = run(toy, StatisticsPolicy::average, once);
    CHECK(outcome.refused == 1);
    const double wanted = expected(StatisticsPolicy::average, synchronous, algorithm, 33);
    CHECK(wanted != doctest::Approx(expected(StatisticsPolicy::average, synchronous, algorithm)));
    CHECK(double(outcome.statistic) == doctest::Approx(wanted).epsilon(1e-5));
  });
}
