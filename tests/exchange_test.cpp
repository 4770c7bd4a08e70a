// Is the protocol sound? Many workers, thousands of exchanges, and a stop or a failure at each of
// its points. Run under the thread sanitizer by `tools/test --all`.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "quadratic.h"
#include "train/snapshot.h"

using namespace easgd;
using quadratic::Toy;

namespace {

constexpr std::size_t kWorkers = 8;

Config config_of(std::int64_t steps, std::int64_t tau = 1) {
  Config config;
  config.algorithm.name = "eamsgd";
  config.algorithm.tau = tau;
  config.algorithm.alpha = 0.9 / double(kWorkers);
  config.algorithm.learning_rate = 0.01;
  config.stop.steps = steps;
  return config;
}

Toy toy_of(std::int64_t steps, std::unique_ptr<OrderPolicy> (*order)()) {
  Toy toy;
  toy.config = config_of(steps);
  toy.workers = kWorkers;
  toy.order = order;
  return toy;
}

struct Outcome {
  std::uint64_t version = 0;
  std::vector<float> center;
  std::vector<std::uint16_t> order;
  std::vector<std::uint64_t> steps;
  std::size_t failed = 0;
  std::uint64_t refused = 0;
  double train_loss = 0;
  std::string error;
};

/// Runs a team to its end, whatever the end is; `during` runs beside it.
Outcome outcome_of(const Toy& toy, const std::function<void(Team&)>& during = {}) {
  const Buffer x0 = quadratic::start_vector(toy.count);
  const Plan plan(toy.config, toy.workers, 1);
  Team team(toy.options(plan, x0));
  Outcome result;
  try {
    team.start();
    if (during) during(team);
    team.join();
  } catch (const std::exception& e) {
    result.error = e.what();
    return result;
  }
  const CenterView view = team.center().view();
  result.version = view.version;
  result.train_loss = view.train.loss;
  result.center.assign(view.center.begin(), view.center.end());
  result.order = team.center().order();
  result.failed = team.failed();
  for (std::size_t i = 0; i < toy.workers; ++i) {
    result.steps.push_back(team.telemetry(i).clock);
    result.refused += team.telemetry(i).refused;
  }
  return result;
}

bool all_finite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

constexpr std::unique_ptr<OrderPolicy> (*kOrders[])() = {free_order, round_robin_order,
                                                         synchronous_order};

}  // namespace

TEST_CASE("thousands of exchanges: every letter is absorbed once") {
  for (const auto order : kOrders) {
    const Outcome run = outcome_of(toy_of(1000, order));
    CHECK(run.error == "");
    CHECK(run.version == 1000 * kWorkers);
    REQUIRE(run.order.size() == 1000 * kWorkers);
    for (std::size_t w = 0; w < kWorkers; ++w) {
      CHECK(std::ranges::count(run.order, w) == 1000);
      CHECK(run.steps[w] == 1000);
    }
    CHECK(all_finite(run.center));
  }
}

TEST_CASE("round robin and synchronous runs are the same bits every time") {
  for (const auto order : {round_robin_order, synchronous_order}) {
    const Outcome first = outcome_of(toy_of(300, order));
    CHECK(outcome_of(toy_of(300, order)).center == first.center);
  }
}

TEST_CASE("a free run replayed is the same bits") {
  const Outcome recorded = outcome_of(toy_of(500, free_order));
  Toy toy = toy_of(500, free_order);
  const std::atomic<bool> ending = false;
  toy.order = [&] { return replay_order({recorded.order, recorded.steps}, ending); };
  const Outcome replayed = outcome_of(toy);
  CHECK(replayed.error == "");
  CHECK(replayed.order == recorded.order);
  CHECK(replayed.center == recorded.center);
}

TEST_CASE("tau divides 0: the first exchange comes before the first gradient") {
  Toy toy = toy_of(21, round_robin_order);
  toy.config.algorithm.tau = 10;
  const Outcome run = outcome_of(toy);
  CHECK(run.version == 3 * kWorkers);  // steps 0, 10, 20
}

TEST_CASE("a stop at any time ends everybody, and what was absorbed is whole") {
  for (const auto order : kOrders) {
    for (const int microseconds : {0, 50, 200, 1000, 5000}) {
      const Outcome run = outcome_of(toy_of(1'000'000'000, order), [&](Team& team) {
        std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
        team.request_stop();
      });
      CHECK(run.error == "");
      CHECK(run.version == run.order.size());
      CHECK(all_finite(run.center));
    }
  }
}

TEST_CASE("a stop at a chosen step of a worker ends everybody") {
  for (const auto order : kOrders) {
    for (const std::uint64_t at : {0, 1, 33}) {
      for (const bool in_batch : {true, false}) {
        Toy toy = toy_of(1'000'000'000, order);
        std::atomic<Team*> team = nullptr;
        const auto stop = [&](std::uint32_t worker, std::uint64_t step) {
          if (worker != 4 || step != at) return;
          while (!team) std::this_thread::yield();
          team.load()->request_stop();
        };
        if (in_batch) {
          toy.before_batch = stop;
        } else {
          toy.after_gradient = [&](std::uint32_t w, std::uint64_t step, View) { stop(w, step); };
        }
        const Outcome run = outcome_of(toy, [&](Team& running) { team = &running; });
        CHECK(run.error == "");
        CHECK(run.steps[4] == at + 1);  // the step it was in is whole
        CHECK(std::ranges::count(run.order, 4) == std::ptrdiff_t(at + 1));
      }
    }
  }
}

TEST_CASE("a replay that is stopped ends without complaint") {
  const Outcome recorded = outcome_of(toy_of(3000, free_order));
  Toy toy = toy_of(3000, free_order);
  std::atomic<bool> ending = false;
  toy.order = [&] { return replay_order({recorded.order, recorded.steps}, ending); };
  const Outcome run = outcome_of(toy, [&](Team& team) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ending = true;
    team.request_stop();
  });
  CHECK(run.error == "");
  CHECK(run.version == run.order.size());
}

TEST_CASE("a worker whose data fail leaves before its letter") {
  for (const auto order : kOrders) {
    Toy toy = toy_of(100, order);
    toy.before_batch = [](std::uint32_t worker, std::uint64_t step) {
      if (worker == 2 && step == 40) throw DataError("no such image");
    };
    const Outcome run = outcome_of(toy);
    CHECK(run.error == "");
    CHECK(run.failed == 1);
    CHECK(run.version == 7 * 100 + 40);
  }
}

TEST_CASE("a worker that fails in its gradient leaves the others running") {
  for (const auto order : kOrders) {
    for (const std::uint64_t at : {0, 1, 57}) {
      Toy toy = toy_of(200, order);
      std::atomic<int> reported = -1;
      toy.after_gradient = [at](std::uint32_t worker, std::uint64_t step, View) {
        if (worker == 3 && step == at) throw std::runtime_error("burnt out");
      };
      toy.on_failure = [&](int worker, const std::string& why) {
        CHECK(why == "burnt out");
        reported = worker;
      };
      const Outcome run = outcome_of(toy);
      CHECK(run.error == "");
      CHECK(run.failed == 1);
      CHECK(reported == 3);
      CHECK(run.steps[3] == at);
      CHECK(std::ranges::count(run.order, 3) == std::ptrdiff_t(at + 1));  // its last letter too
      CHECK(run.steps[0] == 200);
      CHECK(run.version == 7 * 200 + at + 1);
    }
  }
}

TEST_CASE("a failing worker stops the others where that is asked for") {
  for (const auto order : kOrders) {
    Toy toy = toy_of(1'000'000'000, order);
    toy.stop_on_failure = true;
    toy.after_gradient = [](std::uint32_t worker, std::uint64_t step, View) {
      if (worker == 5 && step == 20) throw std::runtime_error("burnt out");
    };
    CHECK(outcome_of(toy).error == "burnt out");
  }
}

TEST_CASE("where all workers fail, the run does") {
  for (const auto order : kOrders) {
    Toy toy = toy_of(1000, order);
    toy.after_gradient = [](std::uint32_t, std::uint64_t step, View) {
      if (step == 10) throw std::runtime_error("burnt out");
    };
    CHECK(outcome_of(toy).error == "burnt out");
  }
}

TEST_CASE("a worker that cannot be made ends the run before it begins") {
  const Toy toy = toy_of(1000, free_order);
  const Buffer x0 = quadratic::start_vector(toy.count);
  const Plan plan(toy.config, toy.workers, 1);
  for (const int part : {0, 1, 2}) {
    TeamOptions options = toy.options(plan, x0);
    WorkerParts& broken = options.workers[2];
    if (part == 0) broken.backend = []() -> std::unique_ptr<Backend> { throw DeviceError("gone"); };
    if (part == 1)
      broken.model = [](Backend&) -> std::unique_ptr<Model> { throw DeviceError("gone"); };
    if (part == 2) {
      broken.batches = [](Backend&) -> std::unique_ptr<BatchSource> { throw DeviceError("gone"); };
    }
    Team team(std::move(options));
    CHECK_THROWS_AS(team.start(), DeviceError);
  }
}

TEST_CASE("a master that fails lets every worker go, and its error is the run's") {
  struct BrokenOrder final : OrderPolicy {
    int calls = 0;
    std::unique_ptr<OrderPolicy> inner = free_order();
    void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) override {
      if (++calls == 40) throw DataError("the order broke");
      inner->next(mailboxes, round);
    }
  };
  Toy toy = toy_of(1'000'000'000, free_order);
  toy.order = [] { return std::make_unique<BrokenOrder>(); };
  CHECK(outcome_of(toy).error == "the order broke");

  toy.order = free_order;
  toy.on_version = [](const CenterView& center) {
    if (center.version == 100) throw DataError("the listener broke");
  };
  CHECK(outcome_of(toy).error == "the listener broke");
}

TEST_CASE("a replay of another run is an error, not a hang") {
  Toy toy = toy_of(5, free_order);
  const std::atomic<bool> ending = false;
  toy.order = [&] { return replay_order({std::vector<std::uint16_t>(50, 2), {}}, ending); };
  CHECK(outcome_of(toy).error.find("worker 2") != std::string::npos);
  toy.order = [&] { return replay_order({{0, 1, 2}, {}}, ending); };
  CHECK(outcome_of(toy).error.find("ends after 3 letters") != std::string::npos);
}

TEST_CASE("a letter that is not finite is refused, and its worker starts again from the center") {
  for (const auto order : kOrders) {
    Toy toy = toy_of(200, order);
    toy.after_gradient = [](std::uint32_t worker, std::uint64_t step, View g) {
      if (worker == 1 && step == 50) g[0] = NAN;
      if (worker == 6 && step == 70) g[3] = INFINITY;
    };
    const Outcome run = outcome_of(toy);
    CHECK(run.error == "");
    CHECK(run.refused == 2);
    CHECK(run.version == 200 * kWorkers - 2);
    CHECK(all_finite(run.center));
    CHECK(std::isfinite(run.train_loss));
  }
}

TEST_CASE("snapshots are whole versions though nobody stops for them") {
  // With one parameter value repeated, a torn copy would show as different values.
  constexpr std::size_t kCount = 4096;
  Toy toy = toy_of(400, free_order);
  toy.count = kCount;
  toy.noise_scale = 0;
  SnapshotSlot slot(kCount);
  toy.on_version = [&](const CenterView& center) { slot.offer(center, 0); };
  std::size_t taken = 0, torn = 0;
  std::uint64_t last = 0;
  std::thread reader([&] {
    while (const Snapshot* snapshot = slot.take()) {
      // x and center move by the same factor for equal curvature, so j and j + 4 keep their ratio.
      const View c = snapshot->center;
      for (std::size_t j = 0; j + 4 < kCount; j += 4) {
        const double expected = quadratic::start(j + 4) / quadratic::start(j);
        torn += std::abs(c[j + 4] / c[j] - expected) > 1e-3 * expected;
      }
      torn += snapshot->version < last;
      last = snapshot->version;
      ++taken;
      slot.release();
    }
  });
  outcome_of(toy);
  slot.wait_until_empty();
  slot.close();
  reader.join();
  CHECK(taken > 0);
  CHECK(torn == 0);
}

TEST_CASE("staleness counts the others' versions") {
  const Toy toy = toy_of(20, round_robin_order);
  const Buffer x0 = quadratic::start_vector(toy.count);
  const Plan plan(toy.config, toy.workers, 1);
  Team team(toy.options(plan, x0));
  team.start();
  team.join();
  for (std::size_t i = 0; i < kWorkers; ++i) CHECK(team.telemetry(i).staleness == kWorkers - 1);
}
