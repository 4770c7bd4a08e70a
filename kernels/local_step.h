// The worker's side of an exchange and of a step, in one pass over memory.
//
//   x      the local variable                       g    gradient at the point it was taken
//   v      momentum (velocity)                      e    reply: pull = alpha (x - center), or null
//   y      look-ahead point x + delta v             eta  learning rate, delta momentum
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

/// x = y = center, v = 0: a worker whose letter was refused starts again from the center. v and y
/// may be null where the algorithm has none.
struct Restart {
  float* x;
  float* v;
  float* y;
  const float* center;

  EASGD_HD void operator()(std::size_t i) const {
    x[i] = center[i];
    if (v) v[i] = 0.0f;
    if (y) y[i] = center[i];
  }
};

}  // namespace easgd::kernels
