// Sums over all values of a channel: bias gradients, and batch normalisation.
//
//   y = weight xhat + bias,  xhat = (x - mean) deviation,  deviation = 1 / sqrt(variance + epsilon)
//   dbias = sum of dy,   dweight = sum of dy xhat
//   dx = weight deviation (dy - dbias / count - xhat dweight / count),   count = N P
//
// Such a sum is a formula: what it reads of a value, what that adds to two sums, and what becomes
// of these. Blocks of threads have a group of channels each, one or some that are neighbours in
// memory, and a part of the rows. A block adds up what its threads have found, two by two, and the
// last block of a group what the blocks have: always in the same order.
#pragma once

#include <algorithm>
#include <cmath>
#include <variant>

#include "kernels/bf16.h"
#include "kernels/layout_passes.h"

namespace easgd::kernels {

struct alignas(16) Sums {
  double first, second;

  EASGD_HD void operator+=(const Sums& s) { first += s.first, second += s.second; }
};

/// How the values of a batch are shared out among the threads that add them up.
struct ReductionLayout {
  static constexpr Index kThreads = 256;  ///< of a block

  Layout layout;
  Index rows;        ///< N P
  Index width = 1;   ///< channels of a group; a power of two
  Index groups = 1;  ///< of channels; the last may be filled up with some that are none
  Index parts = 1;   ///< of the rows

  static ReductionLayout of(const Layout& layout, int samples) {
    constexpr Index kWidth = 16;     // 32 bytes of bf16, which is what memory gives at a time
    constexpr Index kBlocks = 1024;  // fill a device
    constexpr Index kRows = 8;       // of a thread, at least
    constexpr Index kParts = 32;     // of a thread in the end, at most
    ReductionLayout reduction{layout, Index(samples) * Index(layout.pixels)};
    const auto channels = Index(layout.channels);
    const bool neighbours = layout.channels_last || layout.pixels == 1;
    while (neighbours && reduction.width < std::min(kWidth, channels)) reduction.width *= 2;
    reduction.groups = (channels + reduction.width - 1) / reduction.width;
    const Index most = std::min(kBlocks / reduction.groups, reduction.lanes() * kParts);
    reduction.parts = std::clamp(reduction.rows / (reduction.lanes() * kRows), Index{1},
                                 std::max(most, Index{1}));
    return reduction;
  }

  /// Threads of a block with the same channel.
  EASGD_HD Index lanes() const { return kThreads / width; }
  EASGD_HD Index channel(Index group, Index thread) const { return group * width + thread % width; }
  EASGD_HD bool has(Index channel) const { return channel < Index(layout.channels); }
  /// Where a block leaves its sums of `width` channels.
  EASGD_HD Index partial_index(Index group, Index part) const {
    return (group * parts + part) * width;
  }
  Index partial_count() const { return groups * parts * width; }
};

/// Device memory for partial sums. Used by one stream at a time.
struct SumsScratch {
  Sums* partial;            ///< [reduction.partial_count()]
  std::uint32_t* finished;  ///< [reduction.groups], blocks: zeros before, and zeros after
};

/// What a thread finds in its rows.
template <class Formula>
EASGD_HD Sums sum_rows(const Formula& formula, const ReductionLayout& reduction, Index group,
                       Index part, Index thread) {
  constexpr Index kTogether = 4;  // are read before one of them is written
  const Index c = reduction.channel(group, thread), step = reduction.parts * reduction.lanes();
  Index row = part * reduction.lanes() + thread / reduction.width;
  Sums sums{0, 0};
  if (!reduction.has(c)) return sums;
  for (; row < reduction.rows && reduction.rows - row > (kTogether - 1) * step;
       row += kTogether * step) {
    decltype(formula.read(0, 0)) values[kTogether];
    for (Index k = 0; k < kTogether; ++k) {
      values[k] = formula.read(reduction.layout.index(row + k * step, c), c);
    }
    for (Index k = 0; k < kTogether; ++k) {
      sums += formula.add(reduction.layout.index(row + k * step, c), values[k]);
    }
  }
  for (; row < reduction.rows; row += step) {
    const Index i = reduction.layout.index(row, c);
    sums += formula.add(i, formula.read(i, c));
  }
  return sums;
}

/// Of the threads' sums: the `half` lanes above the first are added to those.
EASGD_HD inline void fold(Sums* sums, const ReductionLayout& reduction, Index half, Index thread) {
  if (thread < half * reduction.width) sums[thread] += sums[thread + half * reduction.width];
}

/// What a thread of a group's last block finds in all its blocks' sums.
EASGD_HD inline Sums sum_parts(const Sums* partial, const ReductionLayout& reduction, Index group,
                               Index thread) {
  Sums sums{0, 0};
  for (Index part = thread / reduction.width; part < reduction.parts; part += reduction.lanes()) {
    const Sums* there = partial + reduction.partial_index(group, part) + thread % reduction.width;
#ifdef __CUDA_ARCH__
    const double2 s = __ldcg(reinterpret_cast<const double2*>(there));  // other blocks wrote it
    sums += Sums{s.x, s.y};
#else
    sums += *there;
#endif
  }
  return sums;
}

/// to = sum of dy, which is first set to 0 if y is not above 0; y may be null
template <class T>
struct BiasGradient {
  float* to;
  T* dy;
  const T* y;

  struct Value {
    float dy;
    bool shut;
  };
  EASGD_HD Value read(Index i, Index) const { return {float(dy[i]), y && !(float(y[i]) > 0.0f)}; }
  EASGD_HD Sums add(Index i, const Value& value) const {
    if (value.shut) dy[i] = T(0.0f);
    return {value.shut ? 0.0 : double(value.dy), 0};
  }
  EASGD_HD void finish(Index c, const Sums& sums) const { to[c] = float(sums.first); }
};

/// Mean and deviation of a batch; moves the running statistics, if there are any, by `weight`
/// towards the mean and the unbiased variance.
template <class T>
struct BatchMoments {
  float* mean;
  float* deviation;
  float* moved_mean;
  float* moved_variance;
  const T* x;
  double count, epsilon;
  float weight;

  EASGD_HD double read(Index i, Index) const { return double(float(x[i])); }
  EASGD_HD Sums add(Index, double value) const { return {value, value * value}; }
  EASGD_HD void finish(Index c, const Sums& sums) const {
    const double m = sums.first / count, difference = sums.second - sums.first * m;
    const double squares = difference < 0 ? 0 : difference;
    mean[c] = float(m);
    deviation[c] = float(1 / ::sqrt(squares / count + epsilon));
    if (!moved_mean) return;
    // A weight of 1 leaves nothing of what was there, however large, if it was finite.
    moved_mean[c] = (1 - weight) * moved_mean[c] + weight * float(m);
    const double others = count > 1 ? count - 1 : 1;  // of one value it is 0
    moved_variance[c] = (1 - weight) * moved_variance[c] + weight * float(squares / others);
  }
};

/// dbias and dweight; dy is first set to 0 if y is not above 0; y may be null
template <class T>
struct BatchNormGradient {
  float* dbias;
  float* dweight;
  T* dy;
  const T* y;
  const T* x;
  const float* mean;
  const float* deviation;

  struct Value {
    float dy, xhat;
    bool shut;
  };
  EASGD_HD Value read(Index i, Index c) const {
    return {float(dy[i]), (float(x[i]) - mean[c]) * deviation[c], y && !(float(y[i]) > 0.0f)};
  }
  EASGD_HD Sums add(Index i, const Value& value) const {
    if (value.shut) dy[i] = T(0.0f);
    if (value.shut) return {0, 0};
    return {double(value.dy), double(value.dy) * double(value.xhat)};
  }
  EASGD_HD void finish(Index c, const Sums& sums) const {
    dbias[c] = float(sums.first);
    dweight[c] = float(sums.second);
  }
};

using ChannelSum =
    std::variant<BiasGradient<float>, BiasGradient<Bf16>, BatchMoments<float>, BatchMoments<Bf16>,
                 BatchNormGradient<float>, BatchNormGradient<Bf16>>;

/// deviation = 1 / sqrt(variance + epsilon)
struct DeviationOf {
  float* deviation;
  const float* variance;
  double epsilon;

  EASGD_HD void operator()(std::size_t c) const {
    deviation[c] = float(1 / ::sqrt(double(variance[c]) + epsilon));
  }
};

/// y = weight xhat + bias, and then max(y, 0) if `relu`; a NaN stays one
template <class T>
struct BatchNormForward {
  T* y;
  const T* x;
  const float* mean;
  const float* deviation;
  const float* weight;
  const float* bias;
  Layout layout;
  bool relu;

  EASGD_HD void operator()(std::size_t i) const {
    const Index c = layout.channel(i);
    const float value = weight[c] * ((float(x[i]) - mean[c]) * deviation[c]) + bias[c];
    y[i] = T(relu && value < 0.0f ? 0.0f : value);
  }
};

template <class T>
struct BatchNormBackward {
  T* dx;
  const T* dy;
  const T* x;
  const float* mean;
  const float* deviation;
  const float* weight;
  const float* dbias;
  const float* dweight;
  float count;
  Layout layout;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const Index c = layout.channel(i);
    const float xhat = (float(x[i]) - mean[c]) * deviation[c];
    const float slope = float(dy[i]) - dbias[c] / count - xhat * dweight[c] / count;
    dx[i] = T((add ? float(dx[i]) : 0.0f) + weight[c] * deviation[c] * slope);
  }
};

/// y = y + bias, and then max(y, 0) if `relu`; a NaN stays one
template <class T>
struct AddBias {
  T* y;
  const float* bias;
  Layout layout;
  bool relu;

  EASGD_HD void operator()(std::size_t i) const {
    const float value = float(y[i]) + bias[layout.channel(i)];
    y[i] = T(relu && value < 0.0f ? 0.0f : value);
  }
};

}  // namespace easgd::kernels
