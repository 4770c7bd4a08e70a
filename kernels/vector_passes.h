// Passes over flat vectors that any side of an exchange may need: copies and sums.
#pragma once

#include <cstddef>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// to = from
struct Copy {
  float* to;
  const float* from;

  EASGD_HD void operator()(std::size_t i) const { to[i] = from[i]; }
};

/// sums[k] = sum of (x - c)^2 over every `parts`-th element from the k-th; not finite if an element
/// of x is not. c may be null, for zero. Run for `parts` elements.
struct SquaredDistance {
  double* sums;
  const float* x;
  const float* c;
  std::size_t count, parts;

  EASGD_HD void operator()(std::size_t k) const {
    double sum = 0;
    for (std::size_t i = k; i < count; i += parts) {
      const double d = double(x[i]) - (c ? double(c[i]) : 0.0);
      sum += d * d;
    }
    sums[k] = sum;
  }
};

/// sums[k] = the sum of the k-th `each` neighbours of `from`
struct AddNeighbours {
  double* sums;
  const double* from;
  std::size_t each;

  EASGD_HD void operator()(std::size_t k) const {
    double sum = 0;
    for (std::size_t i = k * each; i < (k + 1) * each; ++i) sum += from[i];
    sums[k] = sum;
  }
};

}  // namespace easgd::kernels
