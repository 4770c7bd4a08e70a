// The forward pass of every layer, naively and in double: what backends are measured against.
// Gradients come from it by central differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/batch.h"
#include "kernels/philox.h"
#include "nn/conv2d.h"
#include "nn/dropout.h"
#include "nn/network.h"
#include "nn/pool2d.h"

namespace easgd::testing {

using Doubles = std::vector<double>;

/// One sample on its way through one layer.
struct Sample {
  const Network& network;
  const Stage& stage;
  const Batch& batch;
  std::size_t index;  ///< in the batch
  bool training;
  std::uint64_t seed;
  const Doubles& parameters;  ///< the flat vector

  double weight(std::size_t slice, std::size_t i) const {
    return parameters[stage.slices[slice].offset + i];
  }
};

using ReferenceLayer = std::function<Doubles(const Sample&, const Doubles& x)>;

inline Doubles reference_conv(const Sample& s, const Doubles& x) {
  const auto& c = dynamic_cast<const Conv2d&>(*s.stage.layer);
  const Shape in = s.stage.input, out = s.stage.output;
  const int k = int(c.kernel);
  const double* weights = s.parameters.data() + s.stage.slices[0].offset;
  Doubles y(out.size());
  for (int o = 0; o < out.channels; ++o) {
    for (int row = 0; row < out.height; ++row) {
      for (int col = 0; col < out.width; ++col) {
        double sum = s.weight(1, std::size_t(o));
        const int top = row * int(c.stride) - int(c.pad), left = col * int(c.stride) - int(c.pad);
        for (int channel = 0; channel < in.channels; ++channel) {
          const double* image = x.data() + channel * in.height * in.width;
          const double* weight = weights + (o * in.channels + channel) * k * k;
          for (int h = std::max(0, top); h < std::min(in.height, top + k); ++h) {
            for (int w = std::max(0, left); w < std::min(in.width, left + k); ++w) {
              sum += weight[(h - top) * k + w - left] * image[h * in.width + w];
            }
          }
        }
        y[std::size_t((o * out.height + row) * out.width + col)] = sum;
      }
    }
  }
  return y;
}

inline Doubles reference_linear(const Sample& s, const Doubles& x) {
  Doubles y(s.stage.output.size());
  for (std::size_t o = 0; o < y.size(); ++o) {
    y[o] = s.weight(1, o);
    for (std::size_t i = 0; i < x.size(); ++i) y[o] += s.weight(0, o * x.size() + i) * x[i];
  }
  return y;
}

/// `merge(so far, value)` over each window, starting from `start`.
template <class Merge>
Doubles reference_pool(const Sample& s, const Doubles& x, double start, const Merge& merge) {
  const auto& p = dynamic_cast<const Pool2d&>(*s.stage.layer);
  const Shape in = s.stage.input, out = s.stage.output;
  Doubles y(out.size(), start);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const int channel = int(i) / (out.height * out.width);
    const int row = int(i) / out.width % out.height * int(p.stride);
    const int col = int(i) % out.width * int(p.stride);
    for (int k = 0; k < int(p.kernel * p.kernel); ++k) {
      const int h = row + k / int(p.kernel), w = col + k % int(p.kernel);
      y[i] = merge(y[i], x[std::size_t((channel * in.height + h) * in.width + w)]);
    }
  }
  return y;
}

/// The formula at the top of backend/cpu/dropout.cpp, element by element.
inline Doubles reference_dropout(const Sample& s, const Doubles& x) {
  if (!s.training) return x;
  const double rate = dynamic_cast<const Dropout&>(*s.stage.layer).rate;
  std::size_t draws = 0, before = 0;
  for (const Stage& stage : s.network.stages()) {
    if (&stage == &s.stage) before = draws;
    if (stage.layer->kind() == "dropout") draws += (stage.input.size() + 3) / 4;
  }
  const kernels::Random random{s.seed, kernels::Stream::dropout, s.batch.worker};
  Doubles y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto four = random.at(s.batch.step, std::uint32_t(s.index * draws + before + i / 4));
    y[i] = four.uniform(int(i % 4)) >= float(rate) ? x[i] / (1 - rate) : 0;
  }
  return y;
}

inline Doubles each(const Doubles& x, double (*f)(double)) {
  Doubles y;
  for (const double v : x) y.push_back(f(v));
  return y;
}

/// A new layer needs a line here; layers_test fails without.
inline const std::map<std::string, ReferenceLayer>& reference_layers() {
  static const std::map<std::string, ReferenceLayer> kLayers = {
      {"conv", reference_conv},
      {"linear", reference_linear},
      {"dropout", reference_dropout},
      {"maxpool",
       [](const Sample& s, const Doubles& x) {
         return reference_pool(s, x, -1e300, [](double a, double b) { return std::max(a, b); });
       }},
      {"avgpool",
       [](const Sample& s, const Doubles& x) {
         const auto& p = dynamic_cast<const Pool2d&>(*s.stage.layer);
         const double share = 1.0 / double(p.kernel * p.kernel);
         return reference_pool(s, x, 0, [=](double a, double b) { return a + b * share; });
       }},
      {"relu", [](const Sample&,
                  const Doubles& x) { return each(x, [](double v) { return v > 0 ? v : 0; }); }},
      {"tanh", [](const Sample&,
                  const Doubles& x) { return each(x, [](double v) { return std::tanh(v); }); }},
      {"softmax_cross_entropy",
       [](const Sample& s, const Doubles& x) {
         double sum = 0;
         for (const double v : x) sum += std::exp(v);
         return Doubles{std::log(sum) - x[std::size_t(s.batch.labels[s.index])]};
       }},
  };
  return kLayers;
}

/// Sum of the losses of a batch.
inline double reference_loss(const Network& network, const Doubles& parameters, const Batch& batch,
                             bool training, std::uint64_t seed) {
  double loss = 0;
  const std::size_t size = network.input().size();
  for (std::size_t n = 0; n < batch.size(); ++n) {
    const ConstView image = batch.images.subspan(n * size, size);
    Doubles x(image.begin(), image.end());
    for (const Stage& stage : network.stages()) {
      x = reference_layers().at(stage.layer->kind())(
          {network, stage, batch, n, training, seed, parameters}, x);
    }
    loss += x[0];
  }
  return loss;
}

}  // namespace easgd::testing
