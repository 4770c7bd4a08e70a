// Comparison by relative difference. doctest::Approx(v).epsilon(e) allows e (1 + |v|), which is not
// relative where v is small.
#pragma once

#include <cmath>

namespace easgd::testing {

/// How far `found` is from `expected`, which is not zero, as a fraction of it.
inline double relative_difference(double found, double expected) {
  return std::abs(found - expected) / std::abs(expected);
}

}  // namespace easgd::testing
