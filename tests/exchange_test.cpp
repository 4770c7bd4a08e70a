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

#include "backend/cpu/cpu_backend.h"
#include "base/check.h"
#include "base/error.h"
#include "exchange/snapshot.h"
#include "quadratic.h"

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

using MakeOrder = std::unique_ptr<OrderPolicy> (*)();

Toy toy_of(std::int64_t steps, MakeOrder order) {
  Toy toy;
  toy.config = config_of(steps);
  toy.workers = kWorkers;
  toy.order = order;
  return toy;
}

/// Algorithms whose letters travel with the gradient, before it and around it.
constexpr const char* kTimings[] = {"eamsgd", "downpour", "easgd_gauss_seidel", "admm"};

/// The orders in which an algorithm may be run.
std::vector<MakeOrder> orders_of(const Algorithm& algorithm) {
  const bool pairs = algorithm.timing == Timing::around;
  return {free_order, pairs ? round_robin_pairs : round_robin_order, synchronous_order};
}

Toy toy_of(const char* algorithm, std::int64_t steps, MakeOrder order) {
  Toy toy = toy_of(steps, order);
  toy.config.algorithm.name = algorithm;
  toy.config.algorithm.learning_rate = 0.001;
  if (Registry<Algorithm>::get(algorithm).coupling == Coupling::none) {
    toy.config.algorithm.alpha.reset();
  }
  return toy;
}

struct Outcome {
  std::uint64_t version = 0;
  std::vector<float> center;
  std::vector<std::uint16_t> order;
  std::vector<std::uint64_t> steps;           ///< that workers took
  std::vector<std::uint64_t> absorbed_steps;  ///< that the center knows of
  std::size_t failed = 0;
  std::size_t ended = 0;  ///< workers that say so
  std::uint64_t refused = 0;
  double train_loss = 0;
  std::string error;
};

/// Runs a team to its end, whatever the end is; `during` runs beside it. `steps`: of each worker,
/// instead of the configuration's.
Outcome outcome_of(const Toy& toy, const std::function<void(Team&)>& during = {},
                   const std::vector<std::uint64_t>& steps = {}) {
  const Buffer x0 = quadratic::start_vector(toy.count);
  WorkerSchedule schedule(toy.config, toy.workers, 1);
  if (!steps.empty()) schedule.set_steps(steps);
  Team team(toy.options(schedule, x0));
  Outcome result;
  try {
    team.start();
    if (during) during(team);
    team.join();
  } catch (const std::exception& e) {
    result.error = e.what();
  }
  const CenterView view = team.master().view();
  result.version = view.version;
  result.train_loss = view.train.loss;
  result.absorbed_steps.assign(view.steps.begin(), view.steps.end());
  result.center.assign(view.center.begin(), view.center.end());
  result.order = team.master().order();
  result.failed = team.failed();
  for (std::size_t i = 0; i < toy.workers; ++i) {
    result.steps.push_back(team.telemetry(i).clock);
    result.refused += team.telemetry(i).refused;
    result.ended += team.telemetry(i).phase == Phase::ended;
  }
  return result;
}

bool all_finite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

constexpr MakeOrder kOrders[] = {free_order, round_robin_order, synchronous_order};

/// Where worker 3 fails.
enum class Place { post, after_post, fetch, step };
constexpr Place kPlaces[] = {Place::post, Place::after_post, Place::fetch, Place::step};

struct Fault {
  Place place;
  std::uint64_t call;  ///< the first is 0

  void strike(Place here, std::uint64_t number) const {
    if (here == place && number == call) throw std::runtime_error("burnt out");
  }
};

/// Letters of the CPU, with a fault.
class FaultyLane final : public cpu::CpuLetterLane {
 public:
  explicit FaultyLane(std::optional<Fault> fault) : fault_(fault) {}

  void post(std::span<const ConstView> parts, View to, std::function<void()> posted) override {
    if (fault_) fault_->strike(Place::post, posts_);
    CpuLetterLane::post(parts, to, std::move(posted));
    if (fault_) fault_->strike(Place::after_post, posts_);
    ++posts_;
  }
  ConstView fetch(ConstView reply) override {
    if (fault_) fault_->strike(Place::fetch, fetches_++);
    return CpuLetterLane::fetch(reply);
  }

 private:
  const std::optional<Fault> fault_;
  std::uint64_t posts_ = 0, fetches_ = 0;
};

class FaultyBackend final : public cpu::CpuBackend {
 public:
  explicit FaultyBackend(std::optional<Fault> fault)
      : CpuBackend({}), fault(fault), letters_(fault) {}

  LetterLane& letters() override { return letters_; }
  /// A device that has failed fails whatever it is asked.
  void finish() override {
    if (fault) throw std::runtime_error("burnt out");
  }

  const std::optional<Fault> fault;

 private:
  FaultyLane letters_;
};

/// Whose letters leave late, on a thread of their own, as those of a GPU do.
class LateLane final : public cpu::CpuLetterLane {
 public:
  ~LateLane() override { LateLane::wait_posted(); }
  void post(std::span<const ConstView> parts, View to, std::function<void()> posted) override {
    wait_posted();
    const std::vector<ConstView> kept(parts.begin(), parts.end());
    lane_ = std::thread([this, kept, to, posted = std::move(posted)] {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      CpuLetterLane::post(kept, to, posted);
    });
  }
  void wait_posted() override {
    if (lane_.joinable()) lane_.join();
  }

 private:
  std::thread lane_;
};

class LateBackend final : public cpu::CpuBackend {
 public:
  LateBackend() : CpuBackend({}) {}
  LetterLane& letters() override { return letters_; }
  void finish() override { letters_.wait_posted(); }

 private:
  LateLane letters_;
};

/// A center's device that fails after so many letters.
class DyingBackend final : public cpu::CpuBackend {
 public:
  explicit DyingBackend(int letters) : CpuBackend({}), letters_(letters) {}
  double squared_distance() override {
    if (--letters_ < 0) throw DeviceError("cuda:0: gone");
    return CpuBackend::squared_distance();
  }
  void download(ConstView device, View host) override {
    if (letters_ < 0) throw DeviceError("cuda:0: gone");
    CpuBackend::download(device, host);
  }

 private:
  int letters_;
};

class FaultyWorkerRule final : public WorkerRule {
 public:
  FaultyWorkerRule(std::unique_ptr<WorkerRule> inner, std::optional<Fault> fault)
      : inner_(std::move(inner)), fault_(fault) {}

  ConstView gradient_point() const override { return inner_->gradient_point(); }
  ConstView letter() const override { return inner_->letter(); }
  void receive(ConstView reply, const Rates& rates) override { inner_->receive(reply, rates); }
  void step(ConstView g, ConstView reply, const Rates& rates) override {
    if (fault_) fault_->strike(Place::step, steps_++);
    inner_->step(g, reply, rates);
  }
  void restart(ConstView center) override { inner_->restart(center); }
  void describe(State& state) override { inner_->describe(state); }

 private:
  std::unique_ptr<WorkerRule> inner_;
  std::optional<Fault> fault_;
  std::uint64_t steps_ = 0;
};

/// A team whose worker 3 has the fault.
struct FaultyTeam {
  FaultyTeam(const char* name, Fault fault)
      : fault(fault), algorithm(Registry<Algorithm>::get(name)) {
    algorithm.worker = [sound = algorithm.worker](Backend& backend, const RuleOptions& options,
                                                  ConstView x0) {
      return std::make_unique<FaultyWorkerRule>(sound(backend, options, x0),
                                                dynamic_cast<FaultyBackend&>(backend).fault);
    };
  }

  void operator()(TeamOptions& options) const {
    options.algorithm = &algorithm;
    for (std::size_t i = 0; i < options.workers.size(); ++i) {
      options.workers[i].backend = [own = i == 3 ? std::optional(fault) : std::nullopt] {
        return std::make_unique<FaultyBackend>(own);
      };
    }
  }

  Fault fault;
  Algorithm algorithm;
};

/// Breaks once it has absorbed the first half of a round.
class BreakingCenterRule final : public CenterRule {
 public:
  explicit BreakingCenterRule(std::unique_ptr<CenterRule> inner, int breaks_at = 40)
      : inner_(std::move(inner)), breaks_at_(breaks_at) {}
  void absorb(const Round& round, View center) override {
    if (++rounds_ < breaks_at_) return inner_->absorb(round, center);
    inner_->absorb(Round(round.letters.first((round.size + 1) / 2)), center);
    throw DataError("the rule broke");
  }

 private:
  std::unique_ptr<CenterRule> inner_;
  int breaks_at_, rounds_ = 0;
};

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
  for (const char* name : kTimings) {
    CAPTURE(name);
    const Outcome recorded = outcome_of(toy_of(name, 300, free_order));
    Toy toy = toy_of(name, 300, free_order);
    toy.order = [&] { return replay_order({recorded.order, recorded.steps}); };
    const Outcome replayed = outcome_of(toy);
    CHECK(replayed.error == "");
    CHECK(replayed.order == recorded.order);
    CHECK(replayed.center == recorded.center);
  }
}

TEST_CASE("letters that leave late are the same letters") {
  for (const char* name : kTimings) {
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    const MakeOrder in_turns = orders_of(algorithm)[1];
    for (const MakeOrder order : {in_turns, MakeOrder(synchronous_order)}) {
      CAPTURE(name);
      Toy toy = toy_of(name, 40, order);
      const Outcome prompt = outcome_of(toy);
      toy.change = [](TeamOptions& options) {
        for (WorkerParts& parts : options.workers) {
          parts.backend = [] { return std::make_unique<LateBackend>(); };
        }
      };
      const Outcome late = outcome_of(toy);
      CHECK(late.error == "");
      CHECK(late.version == prompt.version);
      CHECK(late.center == prompt.center);
    }
  }
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
      if (order == synchronous_order) CHECK(run.version % kWorkers == 0);
    }
  }
}

TEST_CASE("a stopped run of local_sgd ends on the mean of all workers") {
  for (const int microseconds : {0, 50, 200, 1000, 5000}) {
    Toy toy = toy_of(1'000'000'000, synchronous_order);
    toy.config.algorithm.name = "local_sgd";
    toy.config.algorithm.alpha.reset();
    toy.config.algorithm.tau = 3;
    const Outcome run = outcome_of(toy, [&](Team& team) {
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
      team.request_stop();
    });
    CHECK(run.error == "");
    CHECK(run.version % kWorkers == 0);
    // The same workers, ending by their schedule after the steps that the center knows of.
    CHECK(run.center == outcome_of(toy, {}, run.absorbed_steps).center);
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
        const auto absorbed = std::ranges::count(run.order, 4);
        CHECK(run.steps[4] == std::uint64_t(absorbed));
        if (order == synchronous_order) {
          CHECK((absorbed == std::ptrdiff_t(at) || absorbed == std::ptrdiff_t(at + 1)));
          CHECK(run.version == std::size_t(absorbed) * kWorkers);  // no round of some
        } else {
          CHECK(absorbed == std::ptrdiff_t(at + 1));
        }
      }
    }
  }
}

TEST_CASE("a replay that is stopped ends without complaint") {
  const Outcome recorded = outcome_of(toy_of(3000, free_order));
  Toy toy = toy_of(3000, free_order);
  toy.order = [&] { return replay_order({recorded.order, recorded.steps}); };
  const Outcome run = outcome_of(toy, [&](Team& team) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
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
  const WorkerSchedule schedule(toy.config, toy.workers, 1);
  for (const int part : {0, 1, 2}) {
    TeamOptions options = toy.options(schedule, x0);
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

TEST_CASE("one loss of 1e38 spoils the training loss of its own snapshot only") {
  for (const double huge : {1e12, 1e38, 1.7e300}) {
    CAPTURE(huge);
    Toy toy = toy_of(12, round_robin_order);
    toy.workers = 1;
    std::uint64_t letter = 0;
    toy.change = [&](TeamOptions& options) {
      struct Losses final : Model {
        Losses(std::unique_ptr<Model> inner, std::uint64_t& letter, double huge)
            : inner_(std::move(inner)), letter_(letter), huge_(huge) {}
        void gradient(ConstView x, const Batch& batch, View g, View statistics) override {
          inner_->gradient(x, batch, g, statistics);
        }
        void evaluate(ConstView, const Batch&) override {}
        void observe(ConstView, const Batch&, float, View) override {}
        Tally take_tally() override {
          const std::uint64_t number = letter_++;
          return {number == 1 ? huge_ : 0.001 * double(number), 0, 1};
        }
        void give_back(const Tally&) override {}
        std::size_t memory() const override { return 0; }
        std::unique_ptr<Model> inner_;
        std::uint64_t& letter_;
        double huge_;
      };
      options.workers[0].model = [&, inner = options.workers[0].model](Backend& backend) {
        return std::make_unique<Losses>(inner(backend), letter, huge);
      };
    };
    // Every third version is taken.
    std::vector<Tally> taken;
    const auto before = toy.change;
    toy.change = [&](TeamOptions& options) {
      before(options);
      options.on_version = [&](const CenterView& center, double) {
        if (center.version % 3 != 0) return false;
        taken.push_back(center.train);
        return true;
      };
    };
    outcome_of(toy);
    REQUIRE(taken.size() == 4);
    CHECK(taken[0].loss == 0.0 + huge + 0.002);
    CHECK(taken[1].loss == 0.003 + 0.004 + 0.005);
    CHECK(taken[3].loss == 0.001 * 9.0 + 0.001 * 10.0 + 0.001 * 11.0);
    for (const Tally& tally : taken) CHECK(tally.samples == 3);
  }
}

TEST_CASE("a worker that fails at any place of its exchange leaves the others running") {
  for (const char* name : kTimings) {
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    const bool around = algorithm.timing == Timing::around;
    for (const MakeOrder order : orders_of(algorithm)) {
      for (const Place place : kPlaces) {
        for (const std::uint64_t at : {0, 1, 17}) {
          CAPTURE(name);
          CAPTURE(int(place));
          CAPTURE(at);
          const FaultyTeam faulty(name, {place, at});
          Toy toy = toy_of(name, 40, order);
          toy.change = faulty;
          std::atomic<int> reported = -1;
          toy.on_failure = [&](int worker, const std::string& why) {
            CHECK(why == "burnt out");
            reported = worker;
          };
          const Outcome run = outcome_of(toy);
          // Around the gradient a pull and the step come before the push.
          const std::uint64_t pulls = around ? at + 1 : 0;
          const std::uint64_t letters =
              at + (place == Place::after_post || (!around && place != Place::post));
          CHECK(run.error == "");
          CHECK(run.failed == 1);
          CHECK(reported == 3);
          CHECK(run.ended == kWorkers);
          CHECK(run.steps[3] == at);
          CHECK(run.steps[0] == 40);
          CHECK(std::uint64_t(std::ranges::count(run.order, 3)) == letters + pulls);
          CHECK(run.version == 7 * (40 + algorithm.last_letter) + letters);
          CHECK(all_finite(run.center));
        }
      }
    }
  }
}

TEST_CASE("a failure at any place of an exchange stops the others where that is asked for") {
  for (const char* name : kTimings) {
    for (const MakeOrder order : orders_of(Registry<Algorithm>::get(name))) {
      for (const Place place : kPlaces) {
        CAPTURE(name);
        CAPTURE(int(place));
        const FaultyTeam faulty(name, {place, 20});
        Toy toy = toy_of(name, 1'000'000'000, order);
        toy.change = faulty;
        toy.stop_on_failure = true;
        const Outcome run = outcome_of(toy);
        CHECK(run.error == "burnt out");
        CHECK(run.ended == kWorkers);
      }
    }
  }
}

TEST_CASE("a center rule that breaks in the middle of a round lets every worker go") {
  for (const auto order : kOrders) {
    Algorithm algorithm = Registry<Algorithm>::get("eamsgd");
    algorithm.center = [sound = algorithm.center](Backend& backend, const RuleOptions& options,
                                                  ConstView x0) {
      return std::make_unique<BreakingCenterRule>(sound(backend, options, x0));
    };
    Toy toy = toy_of(1'000'000'000, order);
    toy.change = [&](TeamOptions& options) { options.algorithm = &algorithm; };
    const Outcome run = outcome_of(toy);
    CHECK(run.error == "the rule broke");
    CHECK(run.ended == kWorkers);
    CHECK(run.failed == 0);
    // Letters of whole rounds only are counted.
    CHECK(run.version == 39 * (order == synchronous_order ? kWorkers : 1));
  }
}

TEST_CASE("a center whose device fails lets every worker go, and says that it is lost") {
  for (const Route route : {Route::peer, Route::staged}) {
    Toy toy = toy_of(1'000'000'000, free_order);
    toy.change = [route](TeamOptions& options) {
      options.placement.devices = {[] { return std::make_unique<DyingBackend>(100); }};
      options.placement.routes.assign(options.workers.size(), route);
    };
    const Buffer x0 = quadratic::start_vector(toy.count);
    const WorkerSchedule schedule(toy.config, toy.workers, 1);
    Team team(toy.options(schedule, x0));
    team.start();
    CHECK_THROWS_WITH_AS(team.join(), "cuda:0: gone", DeviceError);
    CHECK(team.master().is_lost());
    CHECK(team.master().view().version == 100);
    CHECK(team.failed() == 0);
  }
}

TEST_CASE(
    "a center whose copy to the host throws anything is lost, and its device goes back where it "
    "was made") {
  /// Fails like DyingBackend, and whoever asks for the center finds no memory.
  class Backend final : public cpu::CpuBackend {
   public:
    explicit Backend(std::thread::id& destroyed_by) : CpuBackend({}), destroyed_by_(destroyed_by) {}
    ~Backend() override { destroyed_by_ = std::this_thread::get_id(); }
    double squared_distance() override {
      if (--left_ < 0) throw DeviceError("cuda:0: gone");
      return CpuBackend::squared_distance();
    }
    void download(ConstView device, View host) override {
      if (left_ < 0) throw std::bad_alloc();
      CpuBackend::download(device, host);
    }

   private:
    int left_ = 20;
    std::thread::id& destroyed_by_;
  };
  Toy toy = toy_of(1'000'000'000, free_order);
  std::thread::id made_by, destroyed_by;
  toy.change = [&](TeamOptions& options) {
    options.placement.devices = {[&] {
      made_by = std::this_thread::get_id();
      return std::make_unique<Backend>(destroyed_by);
    }};
    options.placement.routes.assign(options.workers.size(), Route::peer);
  };
  const Buffer x0 = quadratic::start_vector(toy.count);
  const WorkerSchedule schedule(toy.config, toy.workers, 1);
  Team team(toy.options(schedule, x0));
  team.start();
  CHECK_THROWS_AS(team.join(), DeviceError);
  CHECK(team.master().is_lost());
  CHECK(made_by != std::this_thread::get_id());
  CHECK(destroyed_by == made_by);
}

TEST_CASE("a device of the center goes back to its thread if a worker cannot be made") {
  class Backend final : public cpu::CpuBackend {
   public:
    explicit Backend(std::thread::id& destroyed_by) : CpuBackend({}), destroyed_by_(destroyed_by) {}
    ~Backend() override { destroyed_by_ = std::this_thread::get_id(); }

   private:
    std::thread::id& destroyed_by_;
  };
  Toy toy = toy_of(10, free_order);
  std::thread::id made_by, destroyed_by;
  toy.change = [&](TeamOptions& options) {
    options.placement.devices = {[&] {
      made_by = std::this_thread::get_id();
      return std::make_unique<Backend>(destroyed_by);
    }};
    options.workers[2].backend = []() -> std::unique_ptr<easgd::Backend> {
      throw DeviceError("cuda:2: no memory");
    };
  };
  const Buffer x0 = quadratic::start_vector(toy.count);
  const WorkerSchedule schedule(toy.config, toy.workers, 1);
  {
    Team team(toy.options(schedule, x0));
    CHECK_THROWS_WITH_AS(team.start(), "cuda:2: no memory", DeviceError);
  }
  CHECK(destroyed_by == made_by);
}

TEST_CASE("what a worker throws may be anything, and so may what its report throws") {
  Toy toy = toy_of(50, free_order);
  toy.after_gradient = [](std::uint32_t worker, std::uint64_t step, View) {
    if (worker == 3 && step == 5) throw 7;
  };
  std::string why;
  toy.on_failure = [&](int, const std::string& message) {
    why = message;
    throw std::runtime_error("the disk is full");
  };
  const Outcome run = outcome_of(toy);
  CHECK(run.error == "");
  CHECK(run.failed == 1);
  CHECK(why == "an exception of an unknown type");
  CHECK(run.steps[3] == 5);
  CHECK(run.steps[4] == 50);
}

TEST_CASE("an entry of the registry that contradicts itself is a bug that says whose") {
  Algorithm algorithm = Registry<Algorithm>::get("local_sgd");
  algorithm.replies = false;
  CHECK_THROWS_WITH_AS(
      check_entry("mine", algorithm),
      doctest::Contains("\"mine\": its workers meet the master before the gradient"), Bug);
  CHECK_THROWS_WITH_AS(check_entry("mine", {}), doctest::Contains("\"mine\" without one"), Bug);
  CHECK_THROWS_WITH_AS(Registry<Algorithm>::add("easgd", {}),
                       doctest::Contains("\"easgd\" registered twice"), Bug);
}

TEST_CASE("a mailbox that is used out of turn says so") {
  Bell bell;
  Mailbox mailbox(bell, 3);
  CHECK_THROWS_WITH_AS(mailbox.answer(Mailbox::Reply::none),
                       doctest::Contains("worker 3 is answered at step 0 while idle"), Bug);
  mailbox.post();
  CHECK_THROWS_WITH_AS(mailbox.post(), doctest::Contains("worker 3 posts at step 0 while posted"),
                       Bug);
  CHECK_THROWS_WITH_AS(mailbox.release(), doctest::Contains("releases while posted"), Bug);
}

TEST_CASE(
    "an order that serves who has posted nothing is a bug that ends the run, not the process") {
  class Hasty final : public OrderPolicy {
   public:
    void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) override {
      auto next = std::ranges::find(mailboxes, Mailbox::State::idle);
      if (next == mailboxes.end()) next = std::ranges::find(mailboxes, Mailbox::State::posted);
      if (next != mailboxes.end()) round.push_back(int(next - mailboxes.begin()));
    }
  };
  Toy toy = toy_of(1'000'000'000, free_order);
  toy.order = [] { return std::make_unique<Hasty>(); };
  const Outcome run = outcome_of(toy);
  CHECK(run.error.starts_with("bug: "));
  CHECK(run.error.find("to be served while idle, at version ") != run.error.npos);
  CHECK(run.failed == 0);
}

TEST_CASE("a bug that one of many workers finds ends the run, whatever on_failure says") {
  Toy toy = toy_of(1'000'000'000, free_order);
  toy.after_gradient = [](std::uint32_t worker, std::uint64_t step, View) {
    EASGD_CHECK(worker != 3 || step < 5, "worker {} at step {}", worker, step);
  };
  const Outcome run = outcome_of(toy);
  CHECK(run.error.starts_with("bug: "));
  CHECK(run.error.find("worker 3 at step 5") != run.error.npos);
  CHECK(run.failed == 1);
  CHECK(run.ended == kWorkers);
  CHECK(all_finite(run.center));
}

TEST_CASE("a master that fails asks workers to stop that will not meet it for long") {
  Toy toy = toy_of(1'000'000'000, free_order);
  toy.config.algorithm.tau = 1'000'000'000;
  Algorithm algorithm = Registry<Algorithm>::get("eamsgd");
  algorithm.center = [sound = algorithm.center](Backend& backend, const RuleOptions& options,
                                                ConstView x0) {
    return std::make_unique<BreakingCenterRule>(sound(backend, options, x0), 1);
  };
  toy.change = [&](TeamOptions& options) { options.algorithm = &algorithm; };
  const Outcome run = outcome_of(toy);
  CHECK(run.error == "the rule broke");
  CHECK(run.ended == kWorkers);
}

TEST_CASE("who has left stays so, though the master fails after that") {
  Bell bell;
  Mailbox mailbox(bell);
  mailbox.leave();
  mailbox.close();
  CHECK(mailbox.state() == Mailbox::State::left);
  Mailbox closed(bell);
  closed.close();
  CHECK(closed.wait_for_reply() == Mailbox::Reply::closed);
  closed.leave();
  CHECK(closed.state() == Mailbox::State::left);
}

TEST_CASE("a letter knows its age: what the center absorbed of others since the worker's last") {
  /// Remembers the ages of each worker's letters.
  class AgeKeeper final : public CenterRule {
   public:
    AgeKeeper(std::unique_ptr<CenterRule> inner, std::vector<std::vector<std::uint64_t>>& ages)
        : inner_(std::move(inner)), ages_(ages) {}
    void absorb(const Round& round, View center) override {
      for (const Letter& letter : round.letters) ages_[letter.worker].push_back(letter.age);
      inner_->absorb(round, center);
    }

   private:
    std::unique_ptr<CenterRule> inner_;
    std::vector<std::vector<std::uint64_t>>& ages_;
  };
  for (const auto order : {round_robin_order, synchronous_order}) {
    std::vector<std::vector<std::uint64_t>> ages(3);
    Algorithm algorithm = Registry<Algorithm>::get("easgd");
    algorithm.center = [&, sound = algorithm.center](Backend& backend, const RuleOptions& options,
                                                     ConstView x0) {
      return std::make_unique<AgeKeeper>(sound(backend, options, x0), ages);
    };
    Toy toy = toy_of("easgd", 3, order);
    toy.workers = 3;
    toy.change = [&](TeamOptions& options) { options.algorithm = &algorithm; };
    toy.run();
    for (std::size_t worker = 0; worker < 3; ++worker) {
      CHECK(ages[worker] == std::vector<std::uint64_t>{worker, 2, 2});
    }
  }
}

TEST_CASE("a center that cannot be made is told before any worker is") {
  Toy toy = toy_of(10, free_order);
  toy.change = [](TeamOptions& options) {
    options.placement.devices = {
        []() -> std::unique_ptr<Backend> { throw DeviceError("no memory"); }};
    for (WorkerParts& parts : options.workers) {
      parts.backend = []() -> std::unique_ptr<Backend> { throw DeviceError("a worker was made"); };
    }
  };
  const Buffer x0 = quadratic::start_vector(toy.count);
  const WorkerSchedule schedule(toy.config, toy.workers, 1);
  Team team(toy.options(schedule, x0));
  CHECK_THROWS_WITH_AS(team.start(), "no memory", DeviceError);
}

TEST_CASE("letters by every route bring the center to the same bits") {
  for (const char* name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    const bool pairs = Registry<Algorithm>::get(name).timing == Timing::around;
    std::vector<std::vector<float>> centers;
    for (const Route route : {Route::host, Route::peer, Route::staged}) {
      Toy toy = toy_of(name, 20, pairs ? round_robin_pairs : round_robin_order);
      toy.change = [route](TeamOptions& options) {
        options.placement.routes.assign(options.workers.size(), route);
      };
      centers.push_back(toy.run());
    }
    CAPTURE(name);
    CHECK(all_finite(centers[0]));
    CHECK(centers[1] == centers[0]);
    CHECK(centers[2] == centers[0]);
  }
}

TEST_CASE("a stop while all workers sleep for their replies ends everybody once they are served") {
  struct SleepingOrder final : OrderPolicy {
    SleepingOrder(std::unique_ptr<OrderPolicy> inner, const std::atomic<bool>& awake)
        : inner(std::move(inner)), awake(awake) {}
    void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) override {
      awake.wait(false);
      inner->next(mailboxes, round);
    }
    std::unique_ptr<OrderPolicy> inner;
    const std::atomic<bool>& awake;
  };
  for (const auto order : kOrders) {
    std::atomic<bool> awake = false;
    std::atomic<std::size_t> waiting = 0;
    Toy toy = toy_of(1'000'000'000, order);
    toy.order = [&] { return std::make_unique<SleepingOrder>(order(), awake); };
    toy.after_gradient = [&](std::uint32_t, std::uint64_t, View) {
      ++waiting;
      waiting.notify_one();
    };
    const Outcome run = outcome_of(toy, [&](Team& team) {
      for (std::size_t seen = 0; seen < kWorkers; seen = waiting) waiting.wait(seen);
      team.request_stop();
      awake = true;
      awake.notify_one();
    });
    CHECK(run.error == "");
    CHECK(run.version == kWorkers);
    CHECK(run.steps == std::vector<std::uint64_t>(kWorkers, 1));
    CHECK(run.ended == kWorkers);
  }
}

TEST_CASE("a stop while all workers but one sleep for their replies ends everybody") {
  struct FavouringOrder final : OrderPolicy {
    std::unique_ptr<OrderPolicy> inner = free_order();
    void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) override {
      if (mailboxes[0] == Mailbox::State::left) return inner->next(mailboxes, round);
      if (mailboxes[0] == Mailbox::State::posted) round.push_back(0);
    }
  };
  Toy toy = toy_of(1'000'000'000, free_order);
  toy.order = [] { return std::make_unique<FavouringOrder>(); };
  std::atomic<std::uint64_t> first = 0;
  toy.after_gradient = [&](std::uint32_t worker, std::uint64_t step, View) {
    if (worker != 0) return;
    first = step;
    first.notify_one();
  };
  const Outcome run = outcome_of(toy, [&](Team& team) {
    for (std::uint64_t seen = 0; seen < 100; seen = first) first.wait(seen);
    team.request_stop();
  });
  CHECK(run.error == "");
  CHECK(run.steps[0] > 100);
  for (std::size_t w = 1; w < kWorkers; ++w) CHECK(run.steps[w] <= 1);
  CHECK(run.version == std::accumulate(run.steps.begin(), run.steps.end(), std::uint64_t(0)));
  CHECK(run.ended == kWorkers);
}

TEST_CASE("a replay of another run is an error, not a hang") {
  Toy toy = toy_of(5, free_order);
  toy.order = [&] { return replay_order({std::vector<std::uint16_t>(50, 2), {}}); };
  CHECK(outcome_of(toy).error.find("worker 2") != std::string::npos);
  toy.order = [&] { return replay_order({{0, 1, 2}, {}}); };
  CHECK(outcome_of(toy).error.find("ends after 3 letters") != std::string::npos);
}

TEST_CASE("a letter that is not finite is refused, and its worker starts again from the center") {
  for (const char* name : kTimings) {
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    for (const MakeOrder order : orders_of(algorithm)) {
      CAPTURE(name);
      Toy toy = toy_of(name, 200, order);
      toy.after_gradient = [](std::uint32_t worker, std::uint64_t step, View g) {
        if (worker == 1 && step == 50) g[0] = NAN;
        if (worker == 6 && step == 70) g[3] = INFINITY;
      };
      const Outcome run = outcome_of(toy);
      CHECK(run.error == "");
      CHECK(run.refused == 2);
      CHECK(run.version == (200 + algorithm.last_letter) * kWorkers - 2);
      CHECK(all_finite(run.center));
      CHECK(std::isfinite(run.train_loss));
    }
  }
}

TEST_CASE("after a refused letter the master of ADMM still has the mean of all x - lambda") {
  // Without noise everything ends in 0; a center that is off by d would end off by d rho / (h +
  // rho).
  Toy toy = toy_of("admm", 4000, round_robin_pairs);
  toy.workers = 2;
  toy.noise_scale = 0;
  toy.config.algorithm.learning_rate = 0.05;
  toy.config.algorithm.alpha = 0.05 * 2.5;
  const std::vector<float> unharmed = outcome_of(toy).center;
  toy.after_gradient = [](std::uint32_t worker, std::uint64_t step, View g) {
    if (worker == 1 && step == 20) g[2] = NAN;
  };
  const Outcome run = outcome_of(toy);
  CHECK(run.refused == 1);
  for (std::size_t j = 0; j < toy.count; ++j) {
    CHECK(std::abs(unharmed[j]) < 1e-4);
    CHECK(std::abs(run.center[j]) < 1e-4);
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
  const WorkerSchedule schedule(toy.config, toy.workers, 1);
  Team team(toy.options(schedule, x0));
  team.start();
  team.join();
  for (std::size_t i = 0; i < kWorkers; ++i) CHECK(team.telemetry(i).staleness == kWorkers - 1);
}

TEST_CASE("exchanges before and around the gradient: every letter once, stops and failures too") {
  struct Kind {
    const char* name;
    bool last_letter;
  };
  for (const Kind kind :
       {Kind{"downpour", true}, {"mdownpour", false}, {"easgd_gauss_seidel", false}}) {
    for (const auto order : {free_order, synchronous_order}) {
      CAPTURE(kind.name);
      Toy toy = toy_of(500, order);
      toy.config.algorithm.name = kind.name;
      toy.config.algorithm.learning_rate = 0.001;
      const Outcome run = outcome_of(toy);
      CHECK(run.error == "");
      CHECK(run.version == (500 + kind.last_letter) * kWorkers);
      CHECK(all_finite(run.center));

      toy.before_batch = [](std::uint32_t worker, std::uint64_t step) {
        if (worker == 3 && step == 100) throw std::runtime_error("a test");
      };
      const Outcome failed = outcome_of(toy);
      CHECK(failed.error == "");
      CHECK(failed.failed == 1);
      CHECK(failed.steps[3] == 100);
      CHECK(failed.steps[0] == 500);

      Toy endless = toy_of(1'000'000'000, order);
      endless.config.algorithm.name = kind.name;
      endless.config.algorithm.learning_rate = 0.001;
      const Outcome stopped = outcome_of(endless, [](Team& team) {
        while (team.telemetry(0).clock < 200) std::this_thread::yield();
        team.request_stop();
      });
      CHECK(stopped.error == "");
      CHECK(all_finite(stopped.center));
    }
  }
}
