// The master's side of an exchange: one pass over letters, center and replies.
#pragma once

#include <cstddef>

namespace easgd::kernels {

/// Squared distance between two host vectors [count], summed in double in a fixed order; not finite
/// if an element of x is not. The center may be null, for zero.
double squared_distance(const float* x, const float* center, std::size_t count);

/// One letter as the master sees it.
struct ElasticLetter {
  const float* x;  ///< [P] the worker's local variable
  float* pull;     ///< [P] the reply
  float alpha;     ///< moving rate, dimensionless
};

/// Pulls replicas and the center towards each other.
///
///   pull_i = alpha_i (x_i - center)   for every letter, against the same center
///   center = center + sum_i pull_i    in the order of the letters
///
/// One letter is Algorithm 1, lines a and b; p letters are equation (6), Jacobi style.
/// Thread: master only; nobody else writes center.
/// Source: [EASGD15] Algorithm 1, equations (3)-(6).
void elastic(const ElasticLetter* letters, std::size_t letter_count, float* center,
             std::size_t count);

}  // namespace easgd::kernels
