#include "theory/round_robin.h"

#include <cmath>

#include "theory/spectrum.h"

namespace easgd::theory {
namespace {

/// One activation of `worker`, on every column of `state` at once.
/// Rows: lambda_i at 2 i, x_i at 2 i + 1, the center last.
void activate_admm(const RoundRobin& s, int worker, Matrix& state) {
  const double k = 1 / (1 + s.alpha());
  auto lambda = state.row(2 * worker), x = state.row(2 * worker + 1);
  auto center = state.row(2 * s.workers);
  lambda -= x - center;
  x = k * ((1 - s.learning_rate * s.curvature) * x + s.alpha() * (lambda + center));
  center.setZero();
  for (int i = 0; i < s.workers; ++i) {
    center += (state.row(2 * i + 1) - state.row(2 * i)) / s.workers;
  }
}

/// Rows: x_i at i, the center last.
void activate_easgd(const RoundRobin& s, int worker, Matrix& state) {
  auto x = state.row(worker), center = state.row(s.workers);
  const Matrix pull = s.alpha() * (x - center);
  x = (1 - s.learning_rate * s.curvature) * x - pull;
  center += pull;
}

using Activate = void (*)(const RoundRobin&, int, Matrix&);

double cycle_radius(const RoundRobin& scheme, Activate activate, int rows) {
  Matrix cycle = Matrix::Identity(rows, rows);
  for (int worker = 0; worker < scheme.workers; ++worker) activate(scheme, worker, cycle);
  return spectral_radius(cycle);
}

Trajectory follow(const RoundRobin& scheme, Activate activate, Matrix state, long activations,
                  long every) {
  Trajectory result;
  for (long t = 0; t < activations; ++t) {
    activate(scheme, int(t % scheme.workers), state);
    if (t % every == 0 || t + 1 == activations) {
      result.activation.push_back(t);
      result.center.push_back(state(state.rows() - 1, 0));
    }
  }
  return result;
}

}  // namespace

double admm_spectral_radius(const RoundRobin& scheme) {
  return cycle_radius(scheme, activate_admm, 2 * scheme.workers + 1);
}

double easgd_spectral_radius(const RoundRobin& scheme) {
  return cycle_radius(scheme, activate_easgd, scheme.workers + 1);
}

double easgd_largest_alpha(double eta_h) {
  return (4 - 2 * eta_h) / (4 - eta_h);
}

double easgd_largest_eta_h(double alpha) {
  return alpha < 1 ? 4 * (1 - alpha) / (2 - alpha) : 0;
}

bool easgd_is_proven_stable(const RoundRobin& s) {
  const double eta_h = s.learning_rate * s.curvature;
  return 0 <= eta_h && eta_h <= 2 && 0 <= s.alpha() && s.alpha() <= easgd_largest_alpha(eta_h);
}

bool admm_single_map_is_stable(const RoundRobin& s) {
  Matrix map = Matrix::Identity(2 * s.workers + 1, 2 * s.workers + 1);
  activate_admm(s, 0, map);
  return spectral_radius(map) <= 1 + 1e-9;
}

Trajectory admm_trajectory(const RoundRobin& scheme, double start, long activations, long every) {
  Matrix state = Matrix::Constant(2 * scheme.workers + 1, 1, start);
  for (int i = 0; i < scheme.workers; ++i) state(2 * i, 0) = 0;
  return follow(scheme, activate_admm, state, activations, every);
}

Trajectory easgd_trajectory(const RoundRobin& scheme, double start, long activations, long every) {
  return follow(scheme, activate_easgd, Matrix::Constant(scheme.workers + 1, 1, start), activations,
                every);
}

}  // namespace easgd::theory
