// Stability of round-robin schemes on F(x) = h x^2 / 2 without noise, one coordinate: at each
// activation one worker, in turn, meets the center. [EASGD15] section 4; matrices (9)-(13).
#pragma once

#include <vector>

namespace easgd::theory {

/// A round-robin scheme: workers p, step eta, penalty rho, curvature h.
struct RoundRobin {
  int workers = 1;
  double learning_rate = 0;
  double rho = 0;
  double curvature = 1;

  double alpha() const { return learning_rate * rho; }
};

/// Largest |eigenvalue| of a cycle of p activations.
/// ADMM: of F3^p F2^p F1^p ... F3^1 F2^1 F1^1 on (lambda_1, x_1, ..., lambda_p, x_p, c).
double admm_spectral_radius(const RoundRobin& scheme);
/// EASGD: of F^p ... F^1 on (x_1, ..., x_p, c).
double easgd_spectral_radius(const RoundRobin& scheme);

/// The right side of alpha's bound: EASGD is proven stable for 0 <= eta h <= 2 and 0 <= alpha <=
/// (4 - 2 eta h) / (4 - eta h), for any number of workers and any order.
double easgd_largest_alpha(double eta_h);
/// The other way round: the largest eta h for an alpha; 0 if there is none.
double easgd_largest_eta_h(double alpha);
bool easgd_is_proven_stable(const RoundRobin& scheme);
/// Whether each single ADMM map has all eigenvalues within the unit circle. That says nothing about
/// their product: there is no proof of stability for ADMM.
bool admm_single_map_is_stable(const RoundRobin& scheme);

/// The center after activations 0, every, 2 every, ... and the last, all variables starting at
/// `start`, multipliers at 0.
struct Trajectory {
  std::vector<long> activation;
  std::vector<double> center;
};
Trajectory admm_trajectory(const RoundRobin& scheme, double start, long activations, long every);
Trajectory easgd_trajectory(const RoundRobin& scheme, double start, long activations, long every);

}  // namespace easgd::theory
