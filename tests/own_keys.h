// Reading and setting the keys that an algorithm has of its own, without knowing its type.
#pragma once

#include <string>

#include "config/reader.h"
#include "config/toml.h"
#include "config/writer.h"
#include "settings/algorithm_keys.h"

namespace easgd {

/// Chooses the algorithm and gives its own keys the values of `toml`.
inline void choose(AlgorithmConfig& algorithm, const std::string& name, const std::string& toml) {
  algorithm.choose(name);
  if (toml.empty()) return;
  config::read_text(
      toml, "own keys", {}, [&](config::Fields& f) { algorithm.own->fields(f); }, "");
}

/// The number that a key has, or its default.
inline double own_key(const AlgorithmConfig& algorithm, const std::string& key) {
  const auto own = algorithm.own
                       ? algorithm.own
                       : std::shared_ptr(make_options(Registry<Algorithm>::get(algorithm.name)));
  const toml::table table =
      toml::parse(config::to_toml([&](config::Fields& f) { own->fields(f); }));
  return table[key].value<double>().value();
}

}  // namespace easgd
