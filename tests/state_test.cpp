// Is all that a rule, an order or a clock keeps named in its State? Each is replaced again and
// again in mid-run by one made anew that is given the state of the old: the run must not notice.

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "evaluate/evaluation_clock.h"
#include "exchange/virtual_order.h"
#include "toy_of_method.h"

using namespace easgd;
using quadratic::Toy;

namespace {

/// Copies state from one object to another, on the host.
class Carrier final : public State {
 public:
  void vector(const std::string& name, View values) override {
    carry(vectors_, name, std::vector(values.begin(), values.end()),
          [&](const auto& saved) { std::ranges::copy(saved, values.begin()); });
  }
  void counter(const std::string& name, std::uint64_t& value) override {
    carry(counters_, name, value, [&](auto saved) { value = saved; });
  }
  void number(const std::string& name, double& value) override {
    carry(numbers_, name, value, [&](auto saved) { value = saved; });
  }

  std::size_t size() const { return vectors_.size() + counters_.size() + numbers_.size(); }
  bool loading = false;

 private:
  template <class Value>
  void carry(std::map<std::string, Value>& all, const std::string& name, Value value,
             const auto& load) {
    if (loading) return load(all.at(name));
    REQUIRE(all.emplace(name, value).second);  // a name stands once
  }

  std::map<std::string, std::vector<float>> vectors_;
  std::map<std::string, std::uint64_t> counters_;
  std::map<std::string, double> numbers_;
};

template <class Thing>
void move_state(Thing& from, Thing& to) {
  Carrier carrier;
  from.describe(carrier);
  carrier.loading = true;
  to.describe(carrier);
}

constexpr int kEvery = 3;  // steps, rounds

class ReplacedWorkerRule final : public WorkerRule {
 public:
  using Make = std::function<std::unique_ptr<WorkerRule>()>;
  explicit ReplacedWorkerRule(Make make) : make_(std::move(make)), rule_(make_()) {}

  ConstView gradient_point() const override { return rule_->gradient_point(); }
  ConstView letter() const override { return rule_->letter(); }
  void receive(ConstView reply, const Rates& rates) override {
    replace();
    rule_->receive(reply, rates);
  }
  void step(ConstView g, ConstView reply, const Rates& rates) override {
    rule_->step(g, reply, rates);
    replace();
  }
  void restart(ConstView center) override { rule_->restart(center); }
  void describe(State& state) override { rule_->describe(state); }

 private:
  void replace() {
    if (++calls_ % kEvery != 0) return;
    auto next = make_();
    move_state(*rule_, *next);
    rule_ = std::move(next);
  }

  Make make_;
  std::unique_ptr<WorkerRule> rule_;
  int calls_ = 0;
};

class ReplacedCenterRule final : public CenterRule {
 public:
  using Make = std::function<std::unique_ptr<CenterRule>()>;
  explicit ReplacedCenterRule(Make make) : make_(std::move(make)), rule_(make_()) {}

  void absorb(const Round& round, View center) override {
    rule_->absorb(round, center);
    if (++calls_ % kEvery != 0) return;
    auto next = make_();
    move_state(*rule_, *next);
    rule_ = std::move(next);
  }
  ConstView vector_to_pull(ConstView center) const override {
    return rule_->vector_to_pull(center);
  }
  ConstView evaluation_vector(ConstView center) const override {
    return rule_->evaluation_vector(center);
  }

 private:
  Make make_;
  std::unique_ptr<CenterRule> rule_;
  int calls_ = 0;
};

class ReplacedOrder final : public OrderPolicy {
 public:
  using Make = std::function<std::unique_ptr<OrderPolicy>()>;
  explicit ReplacedOrder(Make make) : make_(std::move(make)), order_(make_()) {}

  void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) override {
    order_->next(mailboxes, round);
    if (round.empty() || ++calls_ % kEvery != 0) return;
    auto next = make_();
    move_state(*order_, *next);
    order_ = std::move(next);
  }
  bool all_or_none() const override { return order_->all_or_none(); }
  std::optional<double> seconds() const override { return order_->seconds(); }

 private:
  Make make_;
  std::unique_ptr<OrderPolicy> order_;
  int calls_ = 0;
};

Algorithm with_replaced_rules(const Algorithm& sound) {
  Algorithm algorithm = sound;
  algorithm.worker = [&sound](Backend& backend, const RuleOptions& options, ConstView x0) {
    const std::vector<float> start(x0.begin(), x0.end());
    return std::make_unique<ReplacedWorkerRule>(
        [&sound, &backend, options, start] { return sound.worker(backend, options, start); });
  };
  algorithm.center = [&sound](Backend& backend, const RuleOptions& options, ConstView x0) {
    const std::vector<float> start(x0.begin(), x0.end());
    return std::make_unique<ReplacedCenterRule>(
        [&sound, &backend, options, start] { return sound.center(backend, options, start); });
  };
  return algorithm;
}

Toy toy_of(const std::string& name, const Algorithm& algorithm) {
  Toy toy = quadratic::toy_of_method(name, 40, 4);
  if (algorithm.exchange == Exchange::synchronous) {
    toy.order = synchronous_order;
  } else if (algorithm.timing == Timing::around) {
    toy.order = round_robin_pairs;
  }
  return toy;
}

}  // namespace

TEST_CASE("rules that are replaced by copies of their state go on with the same bits") {
  for (const std::string& name : Registry<Algorithm>::names()) {
    CAPTURE(name);
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    Toy toy = toy_of(name, algorithm);
    const std::vector<float> undisturbed = toy.run();
    const Algorithm replaced = with_replaced_rules(algorithm);
    toy.change = [&](TeamOptions& options) { options.algorithm = &replaced; };
    CHECK(toy.run() == undisturbed);
  }
}

TEST_CASE("an evaluation clock that is replaced by a copy of its state is due at the same time") {
  Every every;
  every.seconds = 3;
  every.epochs = 0.5;
  every.versions = 7;
  const std::uint64_t steps[] = {40};
  const CenterView center{.version = 10, .steps = steps};
  EvaluationClock clock(every, 10, 1000), copy(every, 10, 1000);
  clock.begun(center, 8);
  move_state(clock, copy);
  for (const auto& [version, step, seconds] :
       {std::tuple{13, 49, 8.9}, {14, 49, 8.9}, {13, 50, 8.9}, {13, 49, 9.0}}) {
    const std::uint64_t now[] = {std::uint64_t(step)};
    const CenterView later{.version = std::uint64_t(version), .steps = now};
    CHECK(copy.due(later, seconds) == clock.due(later, seconds));
    CHECK(clock.due(later, seconds) == (version + step + seconds > 13 + 49 + 8.95));
  }
}

TEST_CASE("orders that are replaced by copies of their state serve the same letters") {
  for (const char* name : {"eamsgd", "easgd_gauss_seidel"}) {
    CAPTURE(name);
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    Toy toy = toy_of(name, algorithm);
    const WorkerSchedule schedule(toy.config, toy.workers, 1);
    const VirtualTimes times{.step_seconds = 1, .transfer_seconds = 0.3, .jitter = 0.4, .seed = 11};
    Recording recording;
    const std::size_t letters = (algorithm.timing == Timing::around ? 2 : 1) * 20;
    for (std::size_t i = 0; i < letters; ++i) {
      for (const std::uint16_t worker : {2, 0, 3, 1}) recording.letters.push_back(worker);
    }
    if (algorithm.timing == Timing::around) {  // a pull and its push stand side by side
      for (std::size_t i = 0; i + 8 <= recording.letters.size(); i += 8) {
        const std::uint16_t pairs[] = {2, 2, 0, 0, 3, 3, 1, 1};
        std::ranges::copy(pairs, recording.letters.begin() + std::ptrdiff_t(i));
      }
    }
    const std::vector<ReplacedOrder::Make> orders = {
        toy.order,
        [&] { return virtual_order(schedule, algorithm, toy.workers, times, false); },
        [&] { return replay_order(recording); },
    };
    for (const auto& make : orders) {
      toy.order = make;
      const std::vector<float> undisturbed = toy.run();
      toy.order = [&] { return std::make_unique<ReplacedOrder>(make); };
      CHECK(toy.run() == undisturbed);
    }
  }
}
