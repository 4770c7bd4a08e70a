// The worker's side of an exchange and of a step, in one pass over memory.
//
//   x      the local variable                       g    gradient at the point it was taken
//   v      momentum (velocity)                      e    reply: pull = alpha (x - center), or null
//   y      look-ahead point x + delta v             eta  learning rate, delta momentum
//   c      center, as it was pulled                 u    change since the last letter
//   decay  weight decay (l2), taken where the gradient is taken
//
// All arrays are [P]. Source: [EASGD15] Algorithms 1 and 2: the pull and the gradient are two
// increments added to the same x, and the pull never enters v.
#pragma once

#include <cstddef>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// x = x - eta (g + decay x) - e
struct SgdStep {
  float* x;
  const float* g;
  const float* e;
  float eta, decay;

  EASGD_HD void operator()(std::size_t i) const {
    const float pull = e ? e[i] : 0.0f;
    x[i] = x[i] - eta * (g[i] + decay * x[i]) - pull;
  }
};

/// v = delta v - eta (g + decay y);  x = x + v - e;  y = x + delta v, ready for the next gradient.
struct NesterovStep {
  float* x;
  float* v;
  float* y;
  const float* g;
  const float* e;
  float eta, delta, decay;

  EASGD_HD void operator()(std::size_t i) const {
    const float pull = e ? e[i] : 0.0f;
    v[i] = delta * v[i] - eta * (g[i] + decay * y[i]);
    x[i] = x[i] + v[i] - pull;
    y[i] = x[i] + delta * v[i];
  }
};

/// e = alpha (x - c): the pull of a center that the worker has at hand.
struct ElasticPull {
  float* e;
  const float* x;
  const float* c;
  float alpha;

  EASGD_HD void operator()(std::size_t i) const { e[i] = alpha * (x[i] - c[i]); }
};

/// d = -eta (g + decay x);  x = x + d;  u = u + d: a step, and the sum of the steps.
struct AccumulatedStep {
  float* x;
  float* u;
  const float* g;
  float eta, decay;

  EASGD_HD void operator()(std::size_t i) const {
    const float d = -eta * (g[i] + decay * x[i]);
    x[i] += d;
    u[i] += d;
  }
};

/// lambda = lambda - (x - c);  x = (x - eta (g + decay x) + alpha (lambda + c)) / (1 + alpha);
/// u = (x - lambda) - s: linearised ADMM, alpha = eta rho; s is what the master has of x - lambda.
struct AdmmStep {
  float* x;
  float* lambda;
  float* u;
  const float* s;
  const float* g;
  const float* c;
  float eta, alpha, decay;

  EASGD_HD void operator()(std::size_t i) const {
    lambda[i] -= x[i] - c[i];
    x[i] = (x[i] - eta * (g[i] + decay * x[i]) + alpha * (lambda[i] + c[i])) / (1.0f + alpha);
    u[i] = (x[i] - lambda[i]) - s[i];
  }
};

/// s = s + u
struct Add {
  float* s;
  const float* u;

  EASGD_HD void operator()(std::size_t i) const { s[i] += u[i]; }
};

/// z = z + a (x - z): a moving average.
struct Average {
  float* z;
  const float* x;
  float a;

  EASGD_HD void operator()(std::size_t i) const { z[i] += a * (x[i] - z[i]); }
};

/// x = c;  y = c + delta v: a worker goes to the center and keeps its momentum.
struct MoveToCenter {
  float* x;
  const float* v;
  float* y;
  const float* c;
  float delta;

  EASGD_HD void operator()(std::size_t i) const {
    x[i] = c[i];
    y[i] = c[i] + delta * v[i];
  }
};

/// x = y = z = c, zeroed = 0: a worker begins anew at a point. `zeroed` is what only makes sense
/// with the past: momentum v, the change u since the last letter, or ADMM's lambda. All but x may
/// be null, if the algorithm has none.
struct Restart {
  float* x;
  float* zeroed;
  float* y;
  float* z;
  const float* c;

  EASGD_HD void operator()(std::size_t i) const {
    x[i] = c[i];
    if (zeroed) zeroed[i] = 0.0f;
    if (y) y[i] = c[i];
    if (z) z[i] = c[i];
  }
};

}  // namespace easgd::kernels
