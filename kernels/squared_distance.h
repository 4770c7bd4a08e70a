#pragma once

#include <cstddef>

namespace easgd::kernels {

/// Squared distance between two host vectors [count], summed in double in a fixed order; not finite
/// if an element of x is not. The center may be null, for zero.
double squared_distance(const float* x, const float* center, std::size_t count);

}  // namespace easgd::kernels
