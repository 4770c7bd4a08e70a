// A schedule multiplies a setting (learning rate, tau, rho) as a worker's own clock advances.
#pragma once

#include <cstdint>
#include <vector>

#include "config/choice.h"
#include "config/fields.h"

namespace easgd {

enum class ScheduleKind { constant, steps, power, cosine, plateau };

template <>
struct config::Names<ScheduleKind> {
  static constexpr Name<ScheduleKind> all[] = {{"constant", ScheduleKind::constant},
                                               {"steps", ScheduleKind::steps},
                                               {"power", ScheduleKind::power},
                                               {"cosine", ScheduleKind::cosine},
                                               {"plateau", ScheduleKind::plateau}};
};

/// factor(t) at local clock t, with u = t / length the fraction of the run:
///
///   constant   1
///   steps      factor^(number of `at` passed by u)
///   power      1 / (1 + gamma t)^power                        [EASGD15] supplement, figure 9
///   cosine     end + (1 - end) (1 + cos(pi u')) / 2     u' = fraction of what follows the warm-up
///   plateau    1; a worker multiplies `cuts` in as its loss stands still (exchange/rate_cuts.h)
///
/// each multiplied by min(1, (t + 1) / (warmup length)) while the warm-up lasts.
struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double warmup = 0;
  std::vector<double> at;
  double factor = 0.1;
  double gamma = 1e-4;
  double power = 0.5;
  double end = 0;
  std::int64_t window = 1000;
  double gain = 0.01;
  std::vector<double> cuts = {0.2, 0.5};
  std::int64_t length = 0;

  void fields(config::Fields& f);
  /// Whether it needs to know how long the run is.
  bool needs_length() const;
  double at_clock(std::uint64_t clock) const;
  /// The largest factor of the run.
  double largest() const;
};

}  // namespace easgd
