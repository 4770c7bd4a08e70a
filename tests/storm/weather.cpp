#include "weather.h"

#include <fmt/format.h>

#include "../own_keys.h"
#include "algorithms/algorithm.h"

namespace easgd::storm {

std::string Weather::describe() const {
  return fmt::format(
      "{}{}, {} workers, tau {}, {} steps, P {}, S {}, step {} s, transfer {} s, "
      "jitter {}, {} gradients not finite",
      synchronous ? "synchronous " : "", config.algorithm.name, workers, config.algorithm.tau,
      *config.stop.steps, parameters, statistics, times.step_seconds, times.transfer_seconds,
      times.jitter, poisons.size());
}

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
  for (std::uint64_t left = dice.once_in(3) ? dice.between(1, 4) : 0; left > 0; --left) {
    w.poisons.push_back(
        {std::uint32_t(dice.below(w.workers)), dice.below(std::uint64_t(*w.config.stop.steps))});
  }
  return w;
}

}  // namespace easgd::storm
