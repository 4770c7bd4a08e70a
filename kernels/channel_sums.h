// Sums over all values of a channel, in two stages: many threads a channel, each with a share of the
// rows, then one thread a channel for what those have found. Bias gradients, and batch
// normalisation:
//
//   y = weight xhat + bias,   xhat = (x - mean) deviation,   deviation = 1 / sqrt(variance + epsilon)
//   dbias = sum of dy,   dweight = sum of dy xhat
//   dx = weight deviation (dy - dbias / count - xhat dweight / count),   count = N P
#pragma once

#include <cmath>

#include "kernels/layout_passes.h"

namespace easgd::kernels {

/// The N P values of a channel, dealt out to `parts` threads, which leave their sums in partial
/// [parts][channels]. Threads that are neighbours read neighbours in memory.
struct Rows {
  Layout layout;
  int samples, parts;

  struct Share {
    Index channel, part;
  };
  /// Of thread i of parts * channels.
  EASGD_HD Share share(std::size_t i) const {
    const Index c = Index(layout.channels), all = Index(parts);
    if (layout.channels_last) return {Index(i) % c, Index(i) / c};
    return {Index(i) / all, Index(i) % all};
  }
  EASGD_HD Index place(const Share& share) const {
    return share.part * Index(layout.channels) + share.channel;
  }
  /// The sum of f(place in memory) over a share.
  template <class Function>
  EASGD_HD double sum(const Share& share, const Function& f) const {
    const Index rows = Index(samples) * Index(layout.pixels);
    double total = 0;
    for (Index row = share.part; row < rows; row += Index(parts)) {
      total += double(f(layout.index(row, share.channel)));
    }
    return total;
  }
};

/// partial = sum of dy, which is first set to 0 where y is not above it; y may be null
template <class T>
struct BiasSums {
  double* partial;
  T* dy;
  const T* y;
  Rows rows;

  EASGD_HD void operator()(std::size_t i) const {
    const Rows::Share share = rows.share(i);
    partial[rows.place(share)] = rows.sum(share, [&](Index k) {
      if (y && !(float(y[k]) > 0.0f)) dy[k] = T(0.0f);
      return float(dy[k]);
    });
  }
};

/// partial = sum of x
template <class T>
struct MeanSums {
  double* partial;
  const T* x;
  Rows rows;

  EASGD_HD void operator()(std::size_t i) const {
    const Rows::Share share = rows.share(i);
    partial[rows.place(share)] = rows.sum(share, [&](Index k) { return float(x[k]); });
  }
};

/// partial = sum of (x - mean)^2
template <class T>
struct VarianceSums {
  double* partial;
  const T* x;
  const float* mean;
  Rows rows;

  EASGD_HD void operator()(std::size_t i) const {
    const Rows::Share share = rows.share(i);
    const float m = mean[share.channel];
    partial[rows.place(share)] = rows.sum(share, [&](Index k) {
      const float d = float(x[k]) - m;
      return d * d;
    });
  }
};

/// partial [2][parts][channels] = sums of dy and of dy xhat; dy is first set to 0 where y is not
/// above it; y may be null
template <class T>
struct BatchNormSums {
  double* partial;
  T* dy;
  const T* y;
  const T* x;
  const float* mean;
  const float* deviation;
  Rows rows;

  EASGD_HD void operator()(std::size_t i) const {
    const Rows::Share share = rows.share(i);
    const float m = mean[share.channel], d = deviation[share.channel];
    double with_x = 0;
    partial[rows.place(share)] = rows.sum(share, [&](Index k) {
      if (y && !(float(y[k]) > 0.0f)) dy[k] = T(0.0f);
      with_x += double(float(dy[k]) * (float(x[k]) - m) * d);
      return float(dy[k]);
    });
    partial[rows.place(share) + Index(rows.parts) * Index(rows.layout.channels)] = with_x;
  }
};

/// Of channel c.
EASGD_HD inline double sum_of_parts(const double* partial, std::size_t c, int channels, int parts) {
  double sum = 0;
  for (int part = 0; part < parts; ++part) {
    sum += partial[std::size_t(part) * std::size_t(channels) + c];
  }
  return sum;
}

/// to = scale * the sum
struct SumParts {
  float* to;
  const double* partial;
  int channels, parts;
  double scale;

  EASGD_HD void operator()(std::size_t c) const {
    to[c] = float(scale * sum_of_parts(partial, c, channels, parts));
  }
};

/// The deviation from the sums of squares; moves the running statistics, where there are any, by
/// `weight` towards the mean and the unbiased variance.
struct FinishVariance {
  float* deviation;
  float* moved_mean;
  float* moved_variance;
  const float* mean;
  const double* partial;
  int channels, parts;
  double count, epsilon;
  float weight;

  EASGD_HD void operator()(std::size_t c) const {
    const double sum = sum_of_parts(partial, c, channels, parts);
    deviation[c] = float(1 / ::sqrt(sum / count + epsilon));
    if (!moved_mean) return;
    moved_mean[c] += weight * (mean[c] - moved_mean[c]);
    moved_variance[c] += weight * (float(sum / (count - 1)) - moved_variance[c]);
  }
};

/// deviation = 1 / sqrt(variance + epsilon)
struct DeviationOf {
  float* deviation;
  const float* variance;
  double epsilon;

  EASGD_HD void operator()(std::size_t c) const {
    deviation[c] = float(1 / ::sqrt(double(variance[c]) + epsilon));
  }
};

/// y = weight xhat + bias, and then max(y, 0) where `relu`; a NaN stays one
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

/// y = y + bias, and then max(y, 0) where `relu`; a NaN stays one
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
