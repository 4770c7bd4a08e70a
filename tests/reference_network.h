// The forward pass of every layer, naively and in double: what backends are measured against.
// Gradients come from it by central differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "data/batch.h"
#include "kernels/philox.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/dropout.h"
#include "nn/network.h"
#include "nn/pool2d.h"
#include "nn/softmax_cross_entropy.h"

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
  const Doubles& parameters;  ///< the state

  double weight(std::size_t slice, std::size_t i) const {
    return parameters[stage.slices[slice].offset + i];
  }
};

using ReferenceLayer = std::function<Doubles(const Sample&, const Doubles& x)>;

/// Outputs of all samples of a batch from their inputs: for layers that look at more than one.
struct Whole {
  const Stage& stage;
  const Doubles& state;
  bool training;
};
using ReferenceBatchLayer = std::function<std::vector<Doubles>(
    const Whole&, const std::vector<std::vector<Doubles>>& inputs)>;

inline Doubles reference_conv(const Sample& s, const Doubles& x) {
  const auto& c = dynamic_cast<const Conv2d&>(*s.stage.layer);
  const Shape in = s.stage.input, out = s.stage.output;
  const int kernel_height = int(c.kernel.height), kernel_width = int(c.kernel.width);
  const int inputs = in.channels / int(c.groups), outputs = out.channels / int(c.groups);
  const double* weights = s.parameters.data() + s.stage.slices[0].offset;
  Doubles y(out.size());
  for (int o = 0; o < out.channels; ++o) {
    for (int row = 0; row < out.height; ++row) {
      for (int col = 0; col < out.width; ++col) {
        double sum = c.use_bias ? s.weight(1, std::size_t(o)) : 0;
        const int top = row * int(c.stride.height) - int(c.pad.height);
        const int left = col * int(c.stride.width) - int(c.pad.width);
        for (int channel = 0; channel < inputs; ++channel) {
          const double* image = x.data() + (o / outputs * inputs + channel) * in.height * in.width;
          const double* weight = weights + (o * inputs + channel) * kernel_height * kernel_width;
          for (int h = std::max(0, top); h < std::min(in.height, top + kernel_height); ++h) {
            for (int w = std::max(0, left); w < std::min(in.width, left + kernel_width); ++w) {
              sum += weight[(h - top) * kernel_width + w - left] * image[h * in.width + w];
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
    y[o] = s.stage.slices.size() > 1 ? s.weight(1, o) : 0;
    for (std::size_t i = 0; i < x.size(); ++i) y[o] += s.weight(0, o * x.size() + i) * x[i];
  }
  return y;
}

/// `merge(so far, value)` over what of each window lies in the image, starting from `start`.
template <class Merge>
Doubles reference_pool(const Sample& s, const Doubles& x, double start, const Merge& merge) {
  const auto& p = dynamic_cast<const Pool2d&>(*s.stage.layer);
  const Shape in = s.stage.input, out = s.stage.output;
  Doubles y(out.size(), start);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const int channel = int(i) / (out.height * out.width);
    const int row = int(i) / out.width % out.height * int(p.stride.height) - int(p.pad.height);
    const int col = int(i) % out.width * int(p.stride.width) - int(p.pad.width);
    for (int k = 0; k < int(p.kernel.area()); ++k) {
      const int h = row + k / int(p.kernel.width), w = col + k % int(p.kernel.width);
      if (h < 0 || h >= in.height || w < 0 || w >= in.width) continue;
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

/// Biased mean and variance of a channel over a batch.
inline std::pair<double, double> channel_moments(const std::vector<Doubles>& x, std::size_t channel,
                                                 std::size_t size) {
  double sum = 0, squares = 0;
  const double count = double(x.size() * size);
  for (const Doubles& sample : x) {
    for (std::size_t i = 0; i < size; ++i) sum += sample[channel * size + i];
  }
  const double mean = sum / count;
  for (const Doubles& sample : x) {
    for (std::size_t i = 0; i < size; ++i)
      squares += std::pow(sample[channel * size + i] - mean, 2);
  }
  return {mean, squares / count};
}

/// The formula of nn/batch_norm.h, with the batch's moments in training, else the state's.
inline std::vector<Doubles> reference_batch_norm(const Whole& w,
                                                 const std::vector<std::vector<Doubles>>& inputs) {
  const double epsilon = dynamic_cast<const BatchNorm&>(*w.stage.layer).epsilon;
  const auto at = [&](const Slice& slice, std::size_t c) { return w.state[slice.offset + c]; };
  const std::size_t size = std::size_t(w.stage.input.height * w.stage.input.width);
  std::vector<Doubles> y = inputs[0];
  for (std::size_t c = 0; c < std::size_t(w.stage.input.channels); ++c) {
    std::pair moments{at(w.stage.statistics[0], c), at(w.stage.statistics[1], c)};
    if (w.training) moments = channel_moments(inputs[0], c, size);
    const double scale = at(w.stage.slices[0], c) / std::sqrt(moments.second + epsilon);
    for (Doubles& sample : y) {
      for (std::size_t i = c * size; i < (c + 1) * size; ++i) {
        sample[i] = scale * (sample[i] - moments.first) + at(w.stage.slices[1], c);
      }
    }
  }
  return y;
}

inline std::vector<Doubles> reference_add(const Whole&,
                                          const std::vector<std::vector<Doubles>>& inputs) {
  std::vector<Doubles> y = inputs[0];
  for (std::size_t n = 0; n < y.size(); ++n) {
    for (std::size_t i = 0; i < y[n].size(); ++i) y[n][i] += inputs[1][n][i];
  }
  return y;
}

inline const std::map<std::string, ReferenceBatchLayer>& reference_batch_layers() {
  static const std::map<std::string, ReferenceBatchLayer> kLayers = {
      {"batchnorm", reference_batch_norm},
      {"add", reference_add},
  };
  return kLayers;
}

/// A new layer needs a line here or above; layers_test fails without.
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
         const double share = 1.0 / double(p.kernel.area());
         return reference_pool(s, x, 0, [=](double a, double b) { return a + b * share; });
       }},
      {"relu", [](const Sample&,
                  const Doubles& x) { return each(x, [](double v) { return v > 0 ? v : 0; }); }},
      {"tanh", [](const Sample&,
                  const Doubles& x) { return each(x, [](double v) { return std::tanh(v); }); }},
      {"gelu",
       [](const Sample&, const Doubles& x) {
         return each(x, [](double v) { return v * std::erfc(-v / std::numbers::sqrt2) / 2; });
       }},
      {"silu",
       [](const Sample&, const Doubles& x) {
         return each(x, [](double v) { return v / (1 + std::exp(-v)); });
       }},
      {"softmax_cross_entropy",
       [](const Sample& s, const Doubles& x) {
         const auto& loss = dynamic_cast<const SoftmaxCrossEntropy&>(*s.stage.layer);
         const double smoothing = s.training ? loss.label_smoothing : 0;
         double exponentials = 0, scores = 0;
         for (const double v : x) exponentials += std::exp(v), scores += v;
         const double label = x[std::size_t(s.batch.labels[s.index])];
         return Doubles{std::log(exponentials) - (1 - smoothing) * label -
                        smoothing * scores / double(x.size())};
       }},
  };
  return kLayers;
}

/// What every stage makes of every sample of a batch, with a state [P + S].
inline std::vector<std::vector<Doubles>> reference_outputs(const Network& network,
                                                           const Doubles& state, const Batch& batch,
                                                           bool training, std::uint64_t seed) {
  std::vector<Doubles> images;
  const std::size_t size = network.input().size();
  for (std::size_t n = 0; n < batch.size(); ++n) {
    const ConstView image = batch.images.subspan(n * size, size);
    images.emplace_back(image.begin(), image.end());
  }
  std::vector<std::vector<Doubles>> outputs;
  for (const Stage& stage : network.stages()) {
    std::vector<std::vector<Doubles>> inputs;
    for (const std::size_t i : stage.inputs) {
      inputs.push_back(i == Stage::kImages ? images : outputs[i]);
    }
    const std::string kind = stage.layer->kind();
    if (const auto it = reference_batch_layers().find(kind); it != reference_batch_layers().end()) {
      outputs.push_back(it->second({stage, state, training}, inputs));
      continue;
    }
    outputs.emplace_back();
    for (std::size_t n = 0; n < batch.size(); ++n) {
      outputs.back().push_back(reference_layers().at(kind)(
          {network, stage, batch, n, training, seed, state}, inputs[0][n]));
    }
  }
  return outputs;
}

/// Sum of the losses of a batch.
inline double reference_loss(const Network& network, const Doubles& state, const Batch& batch,
                             bool training, std::uint64_t seed) {
  double loss = 0;
  const auto outputs = reference_outputs(network, state, batch, training, seed);
  for (const Doubles& x : outputs.back()) loss += x[0];
  return loss;
}

}  // namespace easgd::testing
