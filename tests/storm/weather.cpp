#include "weather.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "../own_keys.h"
#include "algorithms/algorithm.h"

namespace easgd::storm {

std::string Weather::describe() const {
  return fmt::format(
      "{}{}, {} workers, tau {}, {} steps, P {}, S {}, step {} s, transfer {} s, "
      "jitter {}; {}: {}",
      synchronous ? "synchronous " : "", config.algorithm.name, workers, config.algorithm.tau,
      *config.stop.steps, parameters, statistics, times.step_seconds, times.transfer_seconds,
      times.jitter, on_failure == OnFailure::restart ? "begin again" : "go on",
      faults.empty() ? "no faults" : fmt::format("{}", fmt::join(faults, ", ")));
}

namespace {

/// The first worker never fails more than twice, and not at all where nobody begins again: a run
/// without workers is an error.
void choose_faults(Dice& dice, const Algorithm& algorithm, Weather& w) {
  constexpr const char* kFailures[] = {"throws", "runs out of memory", "loses its device"};
  const auto steps = std::uint64_t(*w.config.stop.steps);
  const bool can_begin_again = algorithm.begins_again;
  w.on_failure = can_begin_again && dice.once_in(2) ? OnFailure::restart : OnFailure::go_on;
  const std::uint64_t first = w.on_failure == OnFailure::restart ? 0 : 1;
  std::uint64_t of_the_first = 0;
  for (std::uint64_t left = dice.between(1, 4); left > 0; --left) {
    const std::uint64_t worker = dice.below(w.workers), step = dice.below(steps);
    const bool fails = can_begin_again && worker >= first && dice.once_in(2);
    if (!fails) {
      w.faults.push_back(fmt::format("worker {} sends NaN at step {}", worker, step));
    } else if (worker > 0 && dice.once_in(3)) {
      w.faults.push_back(
          fmt::format("worker {} throws every {} steps", worker, dice.between(1, 9)));
    } else if (worker > 0 || ++of_the_first <= 2) {
      w.faults.push_back(
          fmt::format("worker {} {} at step {}", worker, kFailures[dice.below(3)], step));
    }
  }
}

}  // namespace

Weather choose_weather(Dice& dice) {
  Weather w;
  const std::vector<std::string> names = Registry<Algorithm>::names();
  const std::string name = names[dice.below(names.size())];
  const Algorithm& algorithm = Registry<Algorithm>::get(name);
  const bool is_tree = algorithm.options && algorithm.options()->table() == "tree";
  const std::string tree = fmt::format("fanout = {}\ntau_up = {}\ntau_down = {}",
                                       dice.between(2, 3), dice.between(1, 3), dice.between(1, 3));
  choose(w.config.algorithm, name, is_tree ? tree : "");
  w.workers = algorithm.single ? 1 : dice.between(1, 6);
  w.parameters = dice.between(1, 12);
  w.statistics = dice.below(3);
  w.config.algorithm.tau = algorithm.every_step ? 1 : std::int64_t(dice.between(1, 5));
  w.config.algorithm.learning_rate = 0.01 + 0.04 * dice.share();
  if (algorithm.coupling != Coupling::none) {
    w.config.algorithm.alpha = (0.1 + 0.8 * dice.share()) / double(w.workers + 3);
  }
  w.config.stop.steps = std::int64_t(dice.between(1, 25));
  w.synchronous = algorithm.exchange == Exchange::synchronous ||
                  (algorithm.exchange == Exchange::any && !algorithm.single && dice.once_in(3));
  w.times = {.step_seconds = 1,
             .transfer_seconds = dice.once_in(4) ? 0 : 2 * dice.share() * dice.share(),
             .jitter = dice.once_in(4) ? 0 : 0.9 * dice.share(),
             .seed = dice.below(1000)};
  if (dice.once_in(2)) choose_faults(dice, algorithm, w);
  return w;
}

}  // namespace easgd::storm
