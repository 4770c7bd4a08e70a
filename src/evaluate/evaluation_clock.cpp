#include "evaluate/evaluation_clock.h"

#include <cmath>
#include <numeric>

namespace easgd {
namespace {

double next_multiple(double now, double period) {
  return (std::floor(now / period) + 1) * period;
}

}  // namespace

EvaluationClock::EvaluationClock(const Every& every, std::size_t batch, std::size_t train_size)
    : every_(every), epochs_a_step_(double(batch) / double(train_size)) {
  if (!every_.seconds && !every_.epochs && !every_.versions) every_.seconds = kDefaultSeconds;
  begun({}, 0);
}

double EvaluationClock::epoch(std::span<const std::uint64_t> steps) const {
  return epochs_a_step_ * std::accumulate(steps.begin(), steps.end(), 0.0);
}

bool EvaluationClock::due(const CenterView& center, double seconds) const {
  return (every_.seconds && seconds >= next_seconds_) ||
         (every_.epochs && epoch(center.steps) >= next_epoch_) ||
         (every_.versions && center.version >= next_version_);
}

void EvaluationClock::begun(const CenterView& center, double seconds) {
  if (every_.seconds) next_seconds_ = next_multiple(seconds, *every_.seconds);
  if (every_.epochs) next_epoch_ = next_multiple(epoch(center.steps), *every_.epochs);
  if (every_.versions) {
    const auto period = std::uint64_t(*every_.versions);
    next_version_ = (center.version / period + 1) * period;
  }
}

void EvaluationClock::describe(State& state) {
  state.number("next_seconds", next_seconds_);
  state.number("next_epoch", next_epoch_);
  state.counter("next_version", next_version_);
}

}  // namespace easgd
