// Synchronous EASGD on h x^2 / 2 with gradient h x - xi, xi of zero mean and variance sigma^2,
// independent for each worker and step. [EASGD15] supplement, Lemma 7.1 and its corollary; [Zhang
// 2016] section 5.1. The optimum is at 0.
#pragma once

namespace easgd::theory {

struct AdditiveNoise {
  int workers = 1;
  double learning_rate = 0;
  double alpha = 0;  ///< beta = workers * alpha
  double curvature = 1;
  double sigma = 1;

  double beta() const { return workers * alpha; }
};

struct Moments {
  double bias = 0;      ///< of the center from the optimum
  double variance = 0;  ///< of the center
  double mean_squared_error() const { return bias * bias + variance; }
};

/// Lemma 7.1: the eigenvalues gamma >= phi of the map of the workers' mean and the center; real,
/// since (eta h - (p - 1) alpha)^2 + 4 p alpha^2 is their discriminant. Different for alpha > 0.
struct LemmaRoots {
  double gamma = 0, phi = 0;
};
LemmaRoots lemma_roots(const AdditiveNoise& model);

/// Lemma 7.1: the center after t steps, all variables starting at `start`.
Moments center_moments(const AdditiveNoise& model, double start, long t);

/// Whether the center's moments converge, for eta h, alpha > 0: (2 - eta h)(2 - beta) > 2 alpha and
/// (2 - eta h) + (2 - beta) > alpha.
bool synchronous_easgd_is_stable(double eta_h, double alpha, double beta);
/// The eta h below which they do, for alpha up to 2; 0 if they never do.
double synchronous_easgd_largest_eta_h(double alpha, double beta);
bool is_stable(const AdditiveNoise& model);

/// The variance of the center, and of the workers' mean, as t goes to infinity, for a stable model.
double stationary_center_variance(const AdditiveNoise& model);
double stationary_mean_variance(const AdditiveNoise& model);

/// Corollary: p times the center's stationary mean squared error as p goes to infinity at fixed
/// beta.
double many_workers_limit(double learning_rate, double beta, double curvature, double sigma);

/// T Var(z_T) of the time average z_T = (c_0 + ... + c_{T-1}) / T, starting without spread; it goes
/// to sigma^2 / (p h^2) for every stable eta and beta.
double averaged_variance(const AdditiveNoise& model, long steps);

/// The moving rate of fastest convergence of the mean at fixed eta h and beta, -(sqrt(beta) -
/// sqrt(eta h))^2, and that rate |1 - sqrt(eta h beta)|. It is negative: momentum.
struct FastestRate {
  double alpha = 0;
  double rate = 0;
};
FastestRate fastest_moving_rate(double learning_rate, double beta, double curvature);

}  // namespace easgd::theory
