// The passes of layers that are no library's: what a CUDA device runs for each element, or for each
// sample, of a batch. Values lie as [N][C][H][W]. Those of the backward pass add to what is there
// where `add` is set: the gradient of a value that several layers take is a sum.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "kernels/cut.h"
#include "kernels/host_device.h"
#include "kernels/philox.h"

namespace easgd::kernels {

/// y = max(x, 0); a NaN stays one
struct ReluForward {
  float* y;
  const float* x;

  EASGD_HD void operator()(std::size_t i) const { y[i] = x[i] < 0.0f ? 0.0f : x[i]; }
};

/// dx = dy where y > 0
struct ReluBackward {
  float* dx;
  const float* dy;
  const float* y;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    dx[i] = (add ? dx[i] : 0.0f) + (y[i] > 0.0f ? dy[i] : 0.0f);
  }
};

/// y = tanh x
struct TanhForward {
  float* y;
  const float* x;

  EASGD_HD void operator()(std::size_t i) const { y[i] = ::tanhf(x[i]); }
};

/// dx = dy (1 - y^2)
struct TanhBackward {
  float* dx;
  const float* dy;
  const float* y;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    dx[i] = (add ? dx[i] : 0.0f) + dy[i] * (1.0f - y[i] * y[i]);
  }
};

/// y = a + b
struct Sum {
  float* y;
  const float* a;
  const float* b;

  EASGD_HD void operator()(std::size_t i) const { y[i] = a[i] + b[i]; }
};

/// dx = dy
struct Hand {
  float* dx;
  const float* dy;
  bool add;

  EASGD_HD void operator()(std::size_t i) const { dx[i] = (add ? dx[i] : 0.0f) + dy[i]; }
};

/// y = x with dropout, or dx = dy with the same: the formula at the top of backend/cpu/dropout.cpp.
struct DropoutPass {
  float* y;
  const float* x;
  bool add;
  Random random;
  const std::uint64_t* step;
  std::uint32_t draws_per_sample, draws_before;
  std::size_t size;  ///< of a sample
  float rate;

  EASGD_HD void operator()(std::size_t i) const {
    const auto n = std::uint32_t(i / size), e = std::uint32_t(i % size);
    const Random4 four = random.at(*step, n * draws_per_sample + draws_before + e / 4);
    const float kept = x[i] * (four.uniform(int(e % 4)) >= rate ? 1.0f / (1.0f - rate) : 0.0f);
    y[i] = (add ? y[i] : 0.0f) + kept;
  }
};

/// Sample n: its loss, whether it is a hit, and the gradient of the mean loss with regard to its
/// scores [classes]: the formula at the top of backend/cpu/softmax_cross_entropy.cpp.
struct SoftmaxCrossEntropyPass {
  const float* scores;
  const std::int32_t* labels;
  float* gradient;
  double* loss;
  std::int32_t* hit;
  int classes;
  float share;  ///< 1 / N

  EASGD_HD void operator()(std::size_t n) const {
    const float* s = scores + n * std::size_t(classes);
    float* g = gradient + n * std::size_t(classes);
    int best = 0;
    bool nan = false;
    for (int k = 0; k < classes; ++k) {
      if (s[k] > s[best]) best = k;
      nan |= s[k] != s[k];
    }
    float sum = 0;
    for (int k = 0; k < classes; ++k) sum += g[k] = ::expf(s[k] - s[best]);
    for (int k = 0; k < classes; ++k) g[k] = (g[k] / sum - (k == labels[n] ? 1.0f : 0.0f)) * share;
    loss[n] = ::log(double(sum)) - (double(s[labels[n]]) - double(s[best]));
    hit[n] = !nan && best == labels[n];
  }
};

using LayerPass = std::variant<ReluForward, ReluBackward, TanhForward, TanhBackward, Sum, Hand,
                               DropoutPass, SoftmaxCrossEntropyPass, CutPass>;

}  // namespace easgd::kernels
