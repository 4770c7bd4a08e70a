// The passes of layers that are no library's: what a CUDA device runs for each element, or for each
// sample, of a batch. Values are stored as T, float or bf16, and computed with in float. Those of
// the backward pass add to what is there if `add` is set: the gradient of a value that several
// layers take is a sum.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "kernels/bf16.h"
#include "kernels/channel_sums.h"
#include "kernels/crop.h"
#include "kernels/host_device.h"
#include "kernels/layout_passes.h"
#include "kernels/philox.h"
#include "kernels/pool_passes.h"

namespace easgd::kernels {

/// y = max(x, 0); a NaN stays one
template <class T>
struct ReluForward {
  T* y;
  const T* x;

  EASGD_HD void operator()(std::size_t i) const { y[i] = float(x[i]) < 0.0f ? T(0.0f) : x[i]; }
};

/// dx = dy if y > 0, else 0
template <class T>
struct ReluBackward {
  T* dx;
  const T* dy;
  const T* y;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    dx[i] = T((add ? float(dx[i]) : 0.0f) + (float(y[i]) > 0.0f ? float(dy[i]) : 0.0f));
  }
};

/// y = tanh x
template <class T>
struct TanhForward {
  T* y;
  const T* x;

  EASGD_HD void operator()(std::size_t i) const { y[i] = T(::tanhf(float(x[i]))); }
};

/// dx = dy (1 - y^2)
template <class T>
struct TanhBackward {
  T* dx;
  const T* dy;
  const T* y;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const float v = float(y[i]);
    dx[i] = T((add ? float(dx[i]) : 0.0f) + float(dy[i]) * (1.0f - v * v));
  }
};

/// y = a + b
template <class T>
struct Sum {
  T* y;
  const T* a;
  const T* b;

  EASGD_HD void operator()(std::size_t i) const { y[i] = T(float(a[i]) + float(b[i])); }
};

/// dx = dy, or dx + dy if `add`
template <class T>
struct AddTo {
  T* dx;
  const T* dy;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    dx[i] = T((add ? float(dx[i]) : 0.0f) + float(dy[i]));
  }
};

/// y = x with dropout, or dx = dy with the same: the formula at the top of backend/cpu/dropout.cpp.
/// What is drawn for a value goes by its index in [C][P], however the values lie.
template <class T>
struct DropoutPass {
  T* y;
  const T* x;
  bool add;
  Random random;
  const std::uint64_t* step;
  std::uint32_t draws_per_sample, draws_before;
  Layout layout;
  float rate;

  EASGD_HD void operator()(std::size_t i) const {
    const Index c = Index(layout.channels), p = Index(layout.pixels);
    const Index n = Index(i) / (c * p), stored = Index(i) % (c * p);
    const Index e = layout.channels_last ? stored % c * p + stored / c : stored;
    const Random4 four = random.at(*step, n * draws_per_sample + draws_before + e / 4);
    const float kept =
        float(x[i]) * (four.uniform(int(e % 4)) >= rate ? 1.0f / (1.0f - rate) : 0.0f);
    y[i] = T((add ? float(y[i]) : 0.0f) + kept);
  }
};

/// Sample n: its loss, whether it is a hit, and the gradient of the mean loss with regard to its
/// scores [classes]: the formula at the top of backend/cpu/softmax_cross_entropy.cpp.
template <class T>
struct SoftmaxCrossEntropyPass {
  const T* scores;
  const std::int32_t* labels;
  T* gradient;
  double* loss;
  std::int32_t* hit;
  int classes;
  float share;  ///< 1 / N

  EASGD_HD void operator()(std::size_t n) const {
    const T* s = scores + n * std::size_t(classes);
    T* g = gradient + n * std::size_t(classes);
    int best = 0;
    bool nan = false;
    for (int k = 0; k < classes; ++k) {
      if (float(s[k]) > float(s[best])) best = k;
      nan |= float(s[k]) != float(s[k]);
    }
    const float top = float(s[best]);
    float sum = 0;
    for (int k = 0; k < classes; ++k) sum += ::expf(float(s[k]) - top);
    for (int k = 0; k < classes; ++k) {
      g[k] = T((::expf(float(s[k]) - top) / sum - (k == labels[n] ? 1.0f : 0.0f)) * share);
    }
    loss[n] = ::log(double(sum)) - (double(float(s[labels[n]])) - double(top));
    hit[n] = !nan && best == labels[n];
  }
};

using LayerPass = std::variant<
    ReluForward<float>, ReluForward<Bf16>, ReluBackward<float>, ReluBackward<Bf16>,
    TanhForward<float>, TanhForward<Bf16>, TanhBackward<float>, TanhBackward<Bf16>, Sum<float>,
    Sum<Bf16>, AddTo<float>, AddTo<Bf16>, DropoutPass<float>, DropoutPass<Bf16>,
    SoftmaxCrossEntropyPass<float>, SoftmaxCrossEntropyPass<Bf16>, MaxPoolForward<float>,
    MaxPoolForward<Bf16>, MaxPoolBackward<float>, MaxPoolBackward<Bf16>, AveragePoolForward<float>,
    AveragePoolForward<Bf16>, AveragePoolBackward<float>, AveragePoolBackward<Bf16>, AddBias<float>,
    AddBias<Bf16>, BatchNormForward<float>, BatchNormForward<Bf16>, BatchNormBackward<float>,
    BatchNormBackward<Bf16>, DeviationOf, ToChannelsLast<float, float>, ToChannelsLast<float, Bf16>,
    ToChannelsLast<Bf16, Bf16>, FromChannelsLast<float, float>, FromChannelsLast<Bf16, Bf16>,
    PackSlices, UnpackSlices, CropPass>;

}  // namespace easgd::kernels
