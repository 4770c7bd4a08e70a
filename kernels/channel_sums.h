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

/// The N P values of a channel, dealt out to `parts` threads. Thread i of parts * channels has
/// channel i % channels and leaves its sum in partial [parts][channels].
struct Rows {
  Layout layout;
  int samples, parts;

  /// The sum of f(place in memory) over a thread's share.
  template <class Function>
  EASGD_HD double sum(std::size_t i, const Function& f) const {
    const int channel = int(i % std::size_t(layout.channels));
    const auto p = std::size_t(layout.pixels), rows = std::size_t(samples) * p;
    double total = 0;
    for (std::size_t row = i / std::size_t(layout.channels); row < rows;
         row += std::size_t(parts)) {
      total += double(f(layout.index(row / p, channel, int(row % p))));
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
    partial[i] = rows.sum(i, [&](std::size_t k) {
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
    partial[i] = rows.sum(i, [&](std::size_t k) { return float(x[k]); });
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
    const float m = mean[i % std::size_t(rows.layout.channels)];
    partial[i] = rows.sum(i, [&](std::size_t k) {
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
    const auto channels = std::size_t(rows.layout.channels), c = i % channels;
    const float m = mean[c], d = deviation[c];
    double with_x = 0;
    partial[i] = rows.sum(i, [&](std::size_t k) {
      if (y && !(float(y[k]) > 0.0f)) dy[k] = T(0.0f);
      with_x += double(float(dy[k]) * (float(x[k]) - m) * d);
      return float(dy[k]);
    });
    partial[i + channels * std::size_t(rows.parts)] = with_x;
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
    const int c = layout.channel(i);
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
    const int c = layout.channel(i);
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
