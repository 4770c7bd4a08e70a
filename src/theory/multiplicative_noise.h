// Synchronous EASGD with gradient xi x, xi ~ Gamma(shape lambda, rate omega): least squares
// in one dimension with random input. [Zhang 2016] section 5.2. 1 / lambda is the input's spread.
#pragma once

#include <array>

namespace easgd::theory {

struct MultiplicativeNoise {
  int workers = 1;
  double learning_rate = 0;
  double alpha = 0;
  double beta = 0;
  double lambda = 0.5;
  double omega = 0.5;
};

/// Second moments E of: center^2, center x_i, x_i^2, x_i x_j (i not j).
using SecondMoments = std::array<double, 4>;

/// The moments one step later.
SecondMoments next(const MultiplicativeNoise& model, const SecondMoments& moments);

/// Spectral radius of that map: the rate at which second moments shrink, or grow.
double moment_radius(const MultiplicativeNoise& model);

/// The eta, alpha, beta of the smallest moment radius for given workers, lambda, omega.
MultiplicativeNoise fastest(const MultiplicativeNoise& model);

/// The same for mini-batch SGD over all workers' samples: eta = omega / (lambda + 1/p), radius
/// 1 / (1 + p lambda).
double minibatch_best_rate(const MultiplicativeNoise& model);
double minibatch_best_radius(const MultiplicativeNoise& model);

}  // namespace easgd::theory
