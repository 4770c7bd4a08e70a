// A toy of any registered algorithm, to test with each what all of them keep.
#pragma once

#include <cstdint>
#include <string>

#include "own_keys.h"
#include "quadratic.h"

namespace easgd::quadratic {

/// `workers`: one if the algorithm is for one. They meet the master after every second step, or
/// after each if they have to; a tree has a fanout of 2.
inline Toy toy_of_method(const std::string& name, std::int64_t steps, std::size_t workers) {
  const Algorithm& algorithm = Registry<Algorithm>::get(name);
  Toy toy;
  const bool is_tree = algorithm.options && algorithm.options()->table() == "tree";
  choose(toy.config.algorithm, name, is_tree ? "fanout = 2\ntau_up = 2\ntau_down = 3" : "");
  toy.config.algorithm.tau = algorithm.every_step ? 1 : 2;
  toy.config.algorithm.learning_rate = 0.05;
  if (algorithm.coupling != Coupling::none) toy.config.algorithm.alpha = 0.2;
  toy.config.stop.steps = steps;
  toy.workers = algorithm.single ? 1 : workers;
  return toy;
}

}  // namespace easgd::quadratic
