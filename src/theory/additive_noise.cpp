#include "theory/additive_noise.h"

#include <algorithm>
#include <cmath>

#include "theory/spectrum.h"

namespace easgd::theory {
namespace {

/// Variance of the noise that a step adds to the mean of the workers.
double step_variance(const AdditiveNoise& m) {
  return m.learning_rate * m.learning_rate * m.sigma * m.sigma / m.workers;
}

/// The common denominator of the stationary variances.
double denominator(const AdditiveNoise& m) {
  const double e = m.learning_rate * m.curvature, a = m.alpha, b = m.beta();
  return e * (a + b + e - b * e) * (4 - 2 * a - 2 * b - 2 * e + b * e);
}

}  // namespace

LemmaRoots lemma_roots(const AdditiveNoise& m) {
  const double eta_h = m.learning_rate * m.curvature;
  const double a = eta_h + (m.workers + 1) * m.alpha;
  const double root = std::sqrt(a * a - 4 * eta_h * m.beta());
  return {1 - (a - root) / 2, 1 - (a + root) / 2};
}

Moments center_moments(const AdditiveNoise& m, double start, long t) {
  const auto [gamma, phi] = lemma_roots(m);
  const double n = double(t);
  const double gamma_t = std::pow(gamma, n), phi_t = std::pow(phi, n);
  const double u0 = double(m.workers) * (start - m.alpha / (1.0 - m.beta() - phi) * start);
  const double bias = gamma_t * start + (gamma_t - phi_t) / (gamma - phi) * m.alpha * u0;
  const auto geometric = [](double a, double a_t) { return (a - a_t) / (1.0 - a); };
  const double spread = geometric(gamma * gamma, gamma_t * gamma_t) +
                        geometric(phi * phi, phi_t * phi_t) -
                        2.0 * geometric(gamma * phi, gamma_t * phi_t);
  const double factor = m.beta() * m.beta() / ((gamma - phi) * (gamma - phi));
  return {bias, std::max(factor * spread * step_variance(m),
                         0.0)};  // not below by rounding; a NaN stays one
}

bool synchronous_easgd_is_stable(double eta_h, double alpha, double beta) {
  const double e = 2 - eta_h, b = 2 - beta;
  return e * b > 2 * alpha && e + b > alpha;
}

double synchronous_easgd_largest_eta_h(double alpha, double beta) {
  return beta < 2 ? std::max(0.0, 2 - 2 * alpha / (2 - beta)) : 0;
}

bool is_stable(const AdditiveNoise& m) {
  return m.learning_rate > 0 && m.alpha > 0 &&
         synchronous_easgd_is_stable(m.learning_rate * m.curvature, m.alpha, m.beta());
}

double stationary_center_variance(const AdditiveNoise& m) {
  const double e = m.learning_rate * m.curvature, a = m.alpha, b = m.beta();
  return step_variance(m) * b * (2 - a - b - e + b * e) / denominator(m);
}

double stationary_mean_variance(const AdditiveNoise& m) {
  const double e = m.learning_rate * m.curvature, a = m.alpha, b = m.beta();
  return step_variance(m) * (2 * e + 2 * b - 3 * b * e - b * b + b * b * e - a * b) /
         denominator(m);
}

double many_workers_limit(double learning_rate, double beta, double curvature, double sigma) {
  const double e = learning_rate * curvature, b = beta;
  return b * e / ((2 - b) * (2 - e)) * (2 - b - e + b * e) / (b + e - b * e) * sigma * sigma /
         (curvature * curvature);
}

double averaged_variance(const AdditiveNoise& m, long steps) {
  const double e = m.learning_rate * m.curvature;
  // (mean of the workers, center, sum of the centers so far)
  Eigen::Matrix3d map;
  map << 1 - e - m.alpha, m.alpha, 0, m.beta(), 1 - m.beta(), 0, 0, 1, 1;
  Eigen::Matrix3d covariance = Eigen::Matrix3d::Zero();
  for (long t = 0; t < steps; ++t) {
    covariance = map * covariance * map.transpose();
    covariance(0, 0) += step_variance(m);
  }
  return covariance(2, 2) / double(steps);
}

FastestRate fastest_moving_rate(double learning_rate, double beta, double curvature) {
  const double e = learning_rate * curvature, difference = std::sqrt(beta) - std::sqrt(e);
  return {-difference * difference, std::abs(1 - std::sqrt(e * beta))};
}

}  // namespace easgd::theory
