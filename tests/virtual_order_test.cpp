// Is virtual time what the given step and transfer times make it, and the order a function of them?

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "exchange/virtual_order.h"
#include "kernels/philox.h"
#include "quadratic.h"

using namespace easgd;
using quadratic::Toy;

namespace {

struct Outcome {
  double seconds = 0;
  std::uint64_t version = 0;
  std::vector<std::uint16_t> order;
  std::vector<float> center;
};

Config config_of(const std::string& name, std::int64_t tau, std::int64_t steps) {
  Config config;
  config.algorithm.name = name;
  config.algorithm.tau = tau;
  config.algorithm.learning_rate = 0.01;
  if (Registry<Algorithm>::get(name).coupling != Coupling::none) config.algorithm.alpha = 0.1;
  config.stop.steps = steps;
  return config;
}

Outcome run(const Config& config, std::size_t workers, const VirtualTimes& times,
            bool synchronous = false, quadratic::BeforeBatch before_batch = {}) {
  Toy toy;
  toy.before_batch = std::move(before_batch);
  toy.config = config;
  toy.workers = workers;
  const WorkerSchedule schedule(config, workers, 1);
  const Algorithm& algorithm = Registry<Algorithm>::get(config.algorithm.name);
  toy.order = [&] { return virtual_order(schedule, algorithm, workers, times, synchronous); };
  const Buffer x0 = quadratic::start_vector(toy.count);
  Team team(toy.options(schedule, x0));
  team.start();
  team.join();
  const CenterView view = team.master().view();
  return {view.seconds.value_or(-1),
          view.version,
          team.master().order(),
          {view.center.begin(), view.center.end()}};
}

}  // namespace

TEST_CASE("virtual time of one worker is that of its steps, transfers and waits") {
  // Letters at clocks 0, 2, 4, hidden behind gradients: the last is sent at 4 and arrives at 4.1.
  CHECK(run(config_of("easgd", 2, 6), 1, {1, 0.1, 0, 1}).seconds == doctest::Approx(4.1));
  // A round trip of 4 hides a step of 1: letters at 0, 4, 8 arrive 2 later.
  CHECK(run(config_of("easgd", 1, 3), 1, {1, 2, 0, 1}).seconds == doctest::Approx(10));
  // Before the gradient: 0, 0.2 + 2, 2.2 + 0.2 + 2, and the last letter after 0.2 + 2 more.
  CHECK(run(config_of("downpour", 2, 6), 1, {1, 0.1, 0, 1}).seconds == doctest::Approx(6.7));
  // Around it: pull 0.2, step 1, push that nothing waits for; three times, the last push 0.1.
  CHECK(run(config_of("mdownpour", 1, 3), 1, {1, 0.1, 0, 1}).seconds == doctest::Approx(3.7));
  // No replies to wait for: published at clocks 0, 2, 4 and at the end.
  CHECK(run(config_of("sgd", 2, 6), 1, {1, 0.1, 0, 1}).seconds == doctest::Approx(6.1));
}

TEST_CASE("in virtual time a round waits for the last of its letters") {
  const VirtualTimes times{1, 0.1, 0.5, 3};
  const Config config = config_of("downpour", 1, 20);  // nothing is hidden behind a gradient
  const Outcome free = run(config, 4, times), rounds = run(config, 4, times, true);
  CHECK(free.version == 84);
  CHECK(rounds.version == 84);
  CHECK(rounds.seconds > free.seconds);
  // Three workers, no jitter: as one worker alone, asynchronous or not.
  CHECK(run(config_of("downpour", 2, 6), 3, {1, 0.1, 0, 1}, true).seconds == doctest::Approx(6.7));
  CHECK(run(config_of("eamsgd", 2, 6), 3, {1, 0.1, 0, 1}, true).seconds == doctest::Approx(4.1));
  CHECK(run(config_of("allreduce", 1, 3), 3, {1, 0.1, 0, 1}, true).seconds == doctest::Approx(3.7));
  // With jitter each round of one step lasts as long as its slowest worker's, and 0.2.
  const auto seconds_of_step = [&](std::uint32_t worker, std::uint64_t step) {
    const kernels::Random random{times.seed, kernels::Stream::virtual_time, worker};
    return 1 + 0.5 * (2 * double(random.at(step, 0).uniform(0)) - 1);
  };
  double expected = 0.1;  // the first letter, before any step
  for (std::uint64_t step = 0; step < 20; ++step) {
    double slowest = 0;
    for (std::uint32_t w = 0; w < 4; ++w) slowest = std::max(slowest, seconds_of_step(w, step));
    expected += 0.1 + slowest + 0.1;  // reply, step, letter
  }
  CHECK(rounds.seconds == doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("the virtual order is a function of the times and the seed, not of the machine") {
  for (const char* name : {"eamsgd", "downpour", "easgd_gauss_seidel", "admm"}) {
    CAPTURE(name);
    const Config config = config_of(name, name == std::string("admm") ? 1 : 3, 60);
    const Outcome first = run(config, 8, {1, 0.05, 0.3, 5});
    for (std::uint32_t i = 0; i < 5; ++i) {
      const auto dawdle = [i](std::uint32_t worker, std::uint64_t step) {
        const kernels::Random random{i, kernels::Stream::virtual_time, worker};
        std::this_thread::sleep_for(std::chrono::microseconds(random.at(step, 0).below(0, 200)));
      };
      const Outcome again = run(config, 8, {1, 0.05, 0.3, 5}, false, dawdle);
      CHECK(again.order == first.order);
      CHECK(again.center == first.center);
      CHECK(again.seconds == first.seconds);
    }
    CHECK(run(config, 8, {1, 0.05, 0.3, 6}).order != first.order);
  }
  // Without jitter workers are equally fast: they come in turns.
  const Outcome even = run(config_of("eamsgd", 3, 60), 4, {1, 0.05, 0, 5});
  for (std::size_t i = 0; i < even.order.size(); ++i) CHECK(even.order[i] == i % 4);
}

TEST_CASE("a worker that fails does not stop virtual time") {
  Toy toy;
  toy.config = config_of("easgd", 1, 30);
  toy.workers = 4;
  toy.before_batch = [](std::uint32_t worker, std::uint64_t step) {
    if (worker == 2 && step == 7) throw std::runtime_error("a test");
  };
  const WorkerSchedule schedule(toy.config, 4, 1);
  const Algorithm& algorithm = Registry<Algorithm>::get("easgd");
  toy.order = [&] { return virtual_order(schedule, algorithm, 4, {1, 0.1, 0.2, 1}, false); };
  const Buffer x0 = quadratic::start_vector(toy.count);
  Team team(toy.options(schedule, x0));
  team.start();
  team.join();
  CHECK(team.failed() == 1);
  CHECK(team.master().view().version == 3 * 30 + 7);
}
