// The passes of layers that are no library's: what a CUDA device runs for each element, or for each
// sample, of a batch. Values are stored as T, float or bf16, and computed with in float. Those of
// the backward pass add to what is there if `add` is set: the gradient of a value that several
// layers take is a sum.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <variant>

#include "kernels/bf16.h"
#include "kernels/channel_sums.h"
#include "kernels/crop.h"
#include "kernels/host_device.h"
#include "kernels/layout_passes.h"
#include "kernels/philox.h"
#include "kernels/pool_passes.h"

namespace easgd::kernels {

constexpr std::int32_t kNoRank = std::numeric_limits<std::int32_t>::max();  // of scores with a NaN
constexpr float kSqrtHalf = 0.70710678f, kSqrtInversePi = 0.56418958f;

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

/// y = x Phi(x), Phi being the standard normal distribution's
template <class T>
struct GeluForward {
  T* y;
  const T* x;

  EASGD_HD void operator()(std::size_t i) const {
    const float v = float(x[i]);
    y[i] = T(0.5f * v * ::erfcf(-kSqrtHalf * v));
  }
};

/// dx = dy (Phi(x) + x phi(x)), phi being Phi's density
template <class T>
struct GeluBackward {
  T* dx;
  const T* dy;
  const T* x;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const float v = float(x[i]);
    const float slope =
        0.5f * ::erfcf(-kSqrtHalf * v) + kSqrtHalf * kSqrtInversePi * v * ::expf(-0.5f * v * v);
    dx[i] = T((add ? float(dx[i]) : 0.0f) + float(dy[i]) * slope);
  }
};

/// y = x s, with s = 1 / (1 + exp(-x))
template <class T>
struct SiluForward {
  T* y;
  const T* x;

  EASGD_HD void operator()(std::size_t i) const {
    const float v = float(x[i]);
    y[i] = T(v / (1.0f + ::expf(-v)));
  }
};

/// dx = dy s (1 + x (1 - s))
template <class T>
struct SiluBackward {
  T* dx;
  const T* dy;
  const T* x;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const float v = float(x[i]), s = 1.0f / (1.0f + ::expf(-v));
    dx[i] = T((add ? float(dx[i]) : 0.0f) + float(dy[i]) * s * (1.0f + v * (1.0f - s)));
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

/// Sample n: its loss, the rank of its label (Tally::add), and the gradient of the mean loss with
/// regard to its scores [classes]: the formula at the top of backend/cpu/softmax_cross_entropy.cpp.
template <class T>
struct SoftmaxCrossEntropyPass {
  const T* scores;
  const std::int32_t* labels;
  T* gradient;
  double* loss;
  std::int32_t* rank;
  int classes;
  float share;      ///< 1 / N
  float smoothing;  ///< of labels

  EASGD_HD void operator()(std::size_t n) const {
    const T* s = scores + n * std::size_t(classes);
    T* g = gradient + n * std::size_t(classes);
    const int label = labels[n];
    const auto truth = float(s[label]);
    int best = 0;
    std::int32_t before = 0;
    bool nan = false;
    for (int k = 0; k < classes; ++k) {
      if (float(s[k]) > float(s[best])) best = k;
      before += float(s[k]) > truth || (k < label && float(s[k]) == truth);
      nan |= float(s[k]) != float(s[k]);
    }
    const float top = float(s[best]);
    float sum = 0;
    for (int k = 0; k < classes; ++k) sum += ::expf(float(s[k]) - top);
    const float even = smoothing / float(classes);
    double wanted = (1.0 - double(smoothing)) * (double(truth) - double(top));
    for (int k = 0; k < classes; ++k) {
      const float shifted = float(s[k]) - top;
      if (even > 0.0f) wanted += double(even) * double(shifted);
      g[k] = T((::expf(shifted) / sum - even - (k == label ? 1.0f - smoothing : 0.0f)) * share);
    }
    loss[n] = ::log(double(sum)) - wanted;
    rank[n] = nan ? kNoRank : before;
  }
};

using LayerPass = std::variant<
    ReluForward<float>, ReluForward<Bf16>, ReluBackward<float>, ReluBackward<Bf16>,
    TanhForward<float>, TanhForward<Bf16>, TanhBackward<float>, TanhBackward<Bf16>,
    GeluForward<float>, GeluForward<Bf16>, GeluBackward<float>, GeluBackward<Bf16>,
    SiluForward<float>, SiluForward<Bf16>, SiluBackward<float>, SiluBackward<Bf16>, Sum<float>,
    Sum<Bf16>, AddTo<float>, AddTo<Bf16>, DropoutPass<float>, DropoutPass<Bf16>,
    SoftmaxCrossEntropyPass<float>, SoftmaxCrossEntropyPass<Bf16>, MaxPoolForward<float>,
    MaxPoolForward<Bf16>, MaxPoolBackward<float>, MaxPoolBackward<Bf16>, AveragePoolForward<float>,
    AveragePoolForward<Bf16>, AveragePoolBackward<float>, AveragePoolBackward<Bf16>, AddBias<float>,
    AddBias<Bf16>, BatchNormForward<float>, BatchNormForward<Bf16>, BatchNormBackward<float>,
    BatchNormBackward<Bf16>, DeviationOf, ToChannelsLast<float, float>, ToChannelsLast<float, Bf16>,
    ToChannelsLast<Bf16, Bf16>, FromChannelsLast<float, float>, FromChannelsLast<Bf16, Bf16>,
    PackSlices, UnpackSlices, CropPass>;

}  // namespace easgd::kernels
