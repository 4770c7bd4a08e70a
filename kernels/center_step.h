// The master's side of an exchange, in passes over memory.
//
//   c  center variable        x  a letter: a worker's local variable     v  momentum of the center
//   u  a letter: a change     e  the reply                               y  look-ahead point
//
// All arrays are [P].
#pragma once

#include <cstddef>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// e = alpha (x - start);  c = c + e: what the center gains is what the worker loses. `start` is
/// the center of before the round: c itself for a round of one.
/// Source: [EASGD15] Algorithm 1, lines a and b; for p letters of one start, equation (6).
struct Absorb {
  float* e;
  float* c;
  const float* x;
  const float* start;
  float alpha;

  EASGD_HD void operator()(std::size_t i) const {
    const float pull = alpha * (x[i] - start[i]);
    e[i] = pull;
    c[i] += pull;
  }
};

/// sum = sum + x / parts, from 0 if it is the first.
struct AddPart {
  float* sum;
  const float* x;
  float parts;
  bool first;

  EASGD_HD void operator()(std::size_t i) const { sum[i] = (first ? 0.0f : sum[i]) + x[i] / parts; }
};

/// v = delta v + u;  c = c + v;  y = c + delta v: Nesterov's momentum with the step u.
struct CenterMomentum {
  float* c;
  float* v;
  float* y;
  const float* u;
  float delta;

  EASGD_HD void operator()(std::size_t i) const {
    v[i] = delta * v[i] + u[i];
    c[i] += v[i];
    y[i] = c[i] + delta * v[i];
  }
};

/// d = c - x;  v = mu v + d;  c = c - eta (d + mu v): Nesterov's momentum with the gradient d.
struct OuterStep {
  float* c;
  float* v;
  const float* x;
  float eta, mu;

  EASGD_HD void operator()(std::size_t i) const {
    const float d = c[i] - x[i];
    v[i] = mu * v[i] + d;
    c[i] -= eta * (d + mu * v[i]);
  }
};

/// c = c + mu m;  m = c - start: momentum m of a center that has moved since `start`.
struct KeepMoving {
  float* c;
  float* m;
  const float* start;
  float mu;

  EASGD_HD void operator()(std::size_t i) const {
    c[i] += mu * m[i];
    m[i] = c[i] - start[i];
  }
};

}  // namespace easgd::kernels
