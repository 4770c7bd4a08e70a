#include "theory/multiplicative_noise.h"

#include <algorithm>
#include <cmath>

#include "theory/spectrum.h"

namespace easgd::theory {
namespace {

Eigen::Matrix4d moment_map(const MultiplicativeNoise& m) {
  const double m1 = m.lambda / m.omega;
  const double m2 = m.lambda * (m.lambda + 1) / (m.omega * m.omega);
  const double a = m.alpha, b = m.beta, eta = m.learning_rate, p = m.workers;
  const double k1 = 1 - a - eta * m1;
  const double k2 = (1 - a) * (1 - a) - 2 * (1 - a) * eta * m1 + eta * eta * m2;
  Eigen::Matrix4d map;
  map << (1 - b) * (1 - b), 2 * (1 - b) * b, b * b / p, b * b * (p - 1) / p,  //
      a * (1 - b), k1 * (1 - b) + a * b, k1 * b / p, k1 * b * (p - 1) / p,    //
      a * a, 2 * a * k1, k2, 0,                                               //
      a * a, 2 * a * k1, 0, k1 * k1;
  return map;
}

/// Nelder and Mead's simplex search for a minimum of f from `start`.
template <class Function>
Eigen::Vector3d minimise(const Function& f, const Eigen::Vector3d& start) {
  struct Corner {
    Eigen::Vector3d x;
    double value;
  };
  std::array<Corner, 4> simplex;
  for (int i = 0; i < 4; ++i) {
    Eigen::Vector3d x = start;
    if (i > 0) x[i - 1] += 0.1;
    simplex[std::size_t(i)] = {x, f(x)};
  }
  const auto by_value = [](const Corner& a, const Corner& b) { return a.value < b.value; };
  for (int round = 0; round < 2000; ++round) {
    std::ranges::sort(simplex, by_value);
    Corner& worst = simplex[3];
    const Eigen::Vector3d middle = (simplex[0].x + simplex[1].x + simplex[2].x) / 3;
    const auto along = [&](double t) {
      const Eigen::Vector3d x = middle + t * (worst.x - middle);
      return Corner{x, f(x)};
    };
    const Corner reflected = along(-1);
    if (reflected.value < simplex[0].value) {
      worst = std::min(along(-2), reflected, by_value);
    } else if (reflected.value < simplex[2].value) {
      worst = reflected;
    } else if (const Corner inner = along(reflected.value < worst.value ? -0.5 : 0.5);
               inner.value < std::min(reflected.value, worst.value)) {
      worst = inner;
    } else {
      for (std::size_t i = 1; i < 4; ++i) {
        simplex[i].x = (simplex[i].x + simplex[0].x) / 2;
        simplex[i].value = f(simplex[i].x);
      }
    }
  }
  return std::ranges::min(simplex, by_value).x;
}

}  // namespace

SecondMoments next(const MultiplicativeNoise& model, const SecondMoments& moments) {
  const Eigen::Vector4d after = moment_map(model) * Eigen::Vector4d(moments.data());
  return {after[0], after[1], after[2], after[3]};
}

double moment_radius(const MultiplicativeNoise& model) {
  return spectral_radius(moment_map(model));
}

MultiplicativeNoise fastest(const MultiplicativeNoise& model) {
  MultiplicativeNoise best = model;
  const auto with = [&](const Eigen::Vector3d& x) {
    MultiplicativeNoise m = model;
    m.learning_rate = x[0], m.alpha = x[1], m.beta = x[2];
    return m;
  };
  double smallest = HUGE_VAL;
  // The radius has kinks where eigenvalues meet, so the search has a few starts, and begins again
  // at the end of each.
  for (const double eta : {0.3, 0.8}) {
    for (const double alpha : {0.0, 0.3}) {
      for (const double beta : {0.8, 1.2}) {
        Eigen::Vector3d x(eta * model.omega / model.lambda, alpha, beta);
        const auto radius = [&](const Eigen::Vector3d& at) { return moment_radius(with(at)); };
        for (int again = 0; again < 4; ++again) x = minimise(radius, x);
        if (radius(x) < smallest) smallest = radius(x), best = with(x);
      }
    }
  }
  return best;
}

double minibatch_best_rate(const MultiplicativeNoise& m) {
  return m.omega / (m.lambda + 1.0 / m.workers);
}

double minibatch_best_radius(const MultiplicativeNoise& m) {
  return 1 / (1 + m.workers * m.lambda);
}

}  // namespace easgd::theory
