// The average z = (1 - a) z + a x that is evaluated in place of x, on a worker (asgd, mvasgd) or on
// the center (adownpour, mvadownpour).
#pragma once

#include <cstdint>

#include "algorithms/algorithm.h"
#include "kernels/local_step.h"

namespace easgd {

/// Which a: 1 / (t + 1) at the t-th change, so that z is the mean of all x so far [Polyak and
/// Juditsky 1992], or the constant alpha.
enum class Average { mean, moving };

class AverageWeight {
 public:
  explicit AverageWeight(Average kind) : kind_(kind) {}
  /// Of the change that comes now.
  float next(const Rates& rates) {
    return kind_ == Average::mean ? 1.0f / float(++changes_) : rates.alpha;
  }
  void restart() { changes_ = 0; }
  void describe(State& state) { state.counter("changes", changes_); }

 private:
  Average kind_;
  std::uint64_t changes_ = 0;
};

inline Coupling coupling_of(Average kind) {
  return kind == Average::mean ? Coupling::none : Coupling::alpha;
}

}  // namespace easgd
