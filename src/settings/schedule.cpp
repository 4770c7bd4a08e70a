#include "settings/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/limits.h"

namespace easgd {

void Schedule::fields(config::Fields& f) {
  config::choice(f, "kind", kind, "how the factor changes");
  f.number("warmup", warmup, {0, 1}, "fraction of the run over which the factor rises from 0");
  f.numbers("at", at, {0, 1}, "steps: fractions of the run at which the factor changes");
  f.number("factor", factor, {1e-6, 1e6}, "steps: multiplied in at each of them");
  f.number("gamma", gamma, {0, 1e6}, "power: factor is 1 / (1 + gamma t)^power at step t");
  f.number("power", power, {0, 10}, "power: see gamma");
  f.number("end", end, {0, 1e6}, "cosine: the factor at the end of the run");
  f.integer("window", window, {1, kMostSteps},
            "plateau: steps of a worker whose mean training loss is compared with that of as many "
            "before");
  f.number("gain", gain, {0, 1}, "plateau: the share that it must be lower by, or a cut is made");
  f.numbers("cuts", cuts, {1e-6, 1}, "plateau: multiplied in one after the other");
  f.integer("length", length, {0, kMostSteps},
            "steps of one worker that fractions refer to; 0 = the whole run");
}

bool Schedule::needs_length() const {
  return length == 0 && (warmup > 0 || kind == ScheduleKind::steps || kind == ScheduleKind::cosine);
}

double Schedule::largest() const {
  if (kind == ScheduleKind::cosine) return std::max(1.0, end);
  double product = 1, result = 1;
  if (kind == ScheduleKind::steps) {
    for (std::size_t i = 0; i < at.size(); ++i) result = std::max(result, product *= factor);
  }
  return result;
}

double Schedule::at_clock(std::uint64_t clock) const {
  const double t = double(clock);
  const double u = length > 0 ? std::min(1.0, t / double(length)) : 0;
  double result = 1;
  if (kind == ScheduleKind::steps) {
    for (const double fraction : at) result *= u >= fraction ? factor : 1;
  } else if (kind == ScheduleKind::power) {
    result = std::pow(1 + gamma * t, -power);
  } else if (kind == ScheduleKind::cosine) {
    const double after = warmup < 1 ? std::max(0.0, (u - warmup) / (1 - warmup)) : 0;
    result = end + (1 - end) * (1 + std::cos(std::numbers::pi * after)) / 2;
  }
  const double warmup_steps = warmup * double(length);
  if (t + 1 < warmup_steps) result *= (t + 1) / warmup_steps;
  return result;
}

}  // namespace easgd
