// What the seed of a storm chooses: a run on the toy objective in virtual time, and what disturbs
// it.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "exchange/virtual_order.h"
#include "settings/choices.h"
#include "settings/config.h"

namespace easgd::storm {

/// The same numbers on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  std::uint64_t between(std::uint64_t first, std::uint64_t last) {
    return first + below(last - first + 1);
  }
  bool once_in(std::uint64_t times) { return below(times) == 0; }
  double share() { return double(below(1000)) / 1000; }

 private:
  std::mt19937_64 engine_;
};

/// The run, without what disturbs it.
struct Weather {
  Config config;
  std::size_t workers = 1, parameters = 1, statistics = 0;
  bool synchronous = false;
  VirtualTimes times;
  std::vector<std::string> faults;  ///< as debug.fail has them
  OnFailure on_failure = OnFailure::go_on;

  /// In one line.
  std::string describe() const;
};

Weather choose_weather(Dice& dice);

}  // namespace easgd::storm
