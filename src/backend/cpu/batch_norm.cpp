// Batch normalisation: nn/batch_norm.h has the formula. With d = x - mean and the N values of a
// channel in the whole batch,
//
//   y = d scale + bias, scale = weight / sqrt(variance + epsilon), then max(y, 0) if a ReLU is fused
//   dweight = sum(dy d) / sqrt(variance + epsilon)      dbias = sum(dy)
//   dx = scale (dy - sum(dy) / N - d sum(dy d) / (variance + epsilon) / N)
//
// in two passes over memory forward and two backward: one to survey, one after the meeting.
#include "nn/batch_norm.h"

#include <array>
#include <cmath>

#include "backend/cpu/channel_tiles.h"
#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/storage.h"

namespace easgd::cpu {
namespace {

constexpr std::size_t kWidth = ChannelTile::kWidth;
using Lanes = std::array<float, kWidth>;

/// Numbers of each channel, as many more as a tile may reach beyond the last.
struct Channels {
  explicit Channels(std::size_t count) : values(count + kWidth) {}
  /// Those of a tile's lanes.
  Lanes of(const ChannelTile& tile) const {
    Lanes lanes;
    for (std::size_t j = 0; j < kWidth; ++j) {
      lanes[j] = values[tile.channel + (tile.is_of_one_channel ? 0 : j)];
    }
    return lanes;
  }
  std::vector<float> values;
};

/// Count, mean and sum of squared deviations of each channel: two sets of values become one.
/// Source: [Chan, Golub and LeVeque 1979]
struct Moments {
  explicit Moments(std::size_t channels)
      : count(channels + kWidth), mean(count.size()), squares(count.size()) {}

  void clear() {
    for (auto* numbers : {&count, &mean, &squares}) std::ranges::fill(*numbers, 0.0);
  }
  void add(std::size_t channel, double more, double mean_of_more, double squares_of_more) {
    if (more == 0) return;
    const double all = count[channel] + more, delta = mean_of_more - mean[channel];
    squares[channel] += squares_of_more + delta * delta * count[channel] * (more / all);
    mean[channel] += delta * (more / all);
    count[channel] = all;
  }

  std::vector<double> count, mean, squares;
};

/// Sums over a tile of what f(i) gives for its values, lane by lane.
template <class Width, class Function>
Lanes sum_lanes(const ChannelTile& tile, Width width, const Function& f) {
  Lanes sums{};
  for (std::size_t row = 0; row < tile.rows; ++row) {
    const std::size_t begin = tile.offset + row * tile.stride;
#pragma GCC ivdep
    for (std::size_t j = 0; j < width; ++j) sums[j] += f(begin + j, j);
  }
  return sums;
}

double total(const Lanes& lanes) {
  double sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

template <class Width, class T>
void survey(const T* x, const ChannelTile& tile, Width width, Moments& moments) {
  Lanes mean = sum_lanes(tile, width, [x](std::size_t i, std::size_t) { return float(x[i]); });
  const double count = double(tile.rows) * double(tile.is_of_one_channel ? std::size_t(width) : 1);
  if (tile.is_of_one_channel) mean.fill(float(total(mean)));
  for (float& lane : mean) lane /= float(count);
  const Lanes squares = sum_lanes(tile, width, [x, &mean](std::size_t i, std::size_t j) {
    const float d = float(x[i]) - mean[j];
    return d * d;
  });
  if (tile.is_of_one_channel) return moments.add(tile.channel, count, mean[0], total(squares));
  for (std::size_t j = 0; j < width; ++j) {
    moments.add(tile.channel + j, count, mean[j], squares[j]);
  }
}

/// to[i] = f(i, lane) for the values of a tile.
template <class Width, class T, class Function>
void write(T* to, const ChannelTile& tile, Width width, const Function& f) {
  for (std::size_t row = 0; row < tile.rows; ++row) {
    const std::size_t begin = tile.offset + row * tile.stride;
#pragma GCC ivdep
    for (std::size_t j = 0; j < width; ++j) to[begin + j] = T(f(begin + j, j));
  }
}

class BatchNormLayer final : public MeetingLayer {
 public:
  BatchNormLayer(const Workbench& bench, const Link& link)
      : stage_(*link.stage),
        options_(dynamic_cast<const BatchNorm&>(*stage_.layer)),
        relu_(link.relu),
        first_statistic_(stage_.statistics[0].offset - bench.network().parameter_count()),
        moments_(channels()),
        mean_(channels()),
        scale_(channels()),
        bias_(channels()),
        slope_(channels()),
        shift_(channels()),
        gradients_(channels() + kWidth),
        products_(channels() + kWidth) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override;
  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override;
  void survey_forward(CpuPass& pass) override;
  void meet_forward(std::span<MeetingLayer* const> pieces, CpuPass& pass) override;
  void forward(CpuPass& pass) override;
  void survey_backward(CpuPass& pass) override;
  void meet_backward(std::span<MeetingLayer* const> pieces, CpuPass& pass) override;
  void backward(CpuPass& pass) override;

 private:
  std::size_t channels() const { return stage_.slices[0].count; }
  void take_statistics(const CpuPass& pass, std::size_t channel, double mean, double variance);
  void move(const CpuPass& pass, std::size_t channel) const;
  /// Calls f(tile, width as a constant) for all values.
  template <class Function>
  void for_tiles(const Function& f) const {
    for_channel_tiles(planes_, channels(), [&f](const ChannelTile& tile) {
      with_width(tile.width, [&](auto width) { f(tile, width); });
    });
  }

  const Stage& stage_;
  const BatchNorm& options_;
  const bool relu_;
  const std::size_t first_statistic_;  // of running_mean; running_var follows
  dnnl::stream stream_;
  Planes planes_{};
  Converted input_, output_gradient_;
  memory output_, input_gradient_;

  Moments moments_;                // of the piece; after the meeting, the first's are the batch's
  Channels mean_, scale_, bias_;   // of the batch, or fixed
  Channels slope_, shift_;         // dx = scale dy + slope d + shift
  std::vector<double> gradients_;  // sum(dy) of the piece
  std::vector<double> products_;   // sum(dy d)
};

Activation BatchNormLayer::compile_forward(Workbench& bench, std::span<const Activation> inputs) {
  stream_ = bench.stream();
  const memory::desc given = inputs[0].values.get_desc();
  const bool is_known = bool(planes_of(given));
  input_ = Converted(
      bench, inputs[0].values,
      is_known ? given : memory::desc(given.dims(), given.data_type(), memory::format_tag::nchw));
  planes_ = *planes_of(input_.get().get_desc());
  output_ = bench.make(input_.get().get_desc());
  return {output_, true};
}

Activation BatchNormLayer::compile_backward(Workbench& bench, const Activation& dy, bool) {
  output_gradient_ = Converted(bench, dy.values, output_.get_desc());
  input_gradient_ = bench.make(output_.get_desc());
  return {input_gradient_, true};
}

void BatchNormLayer::survey_forward(CpuPass&) {
  input_.refresh(stream_);
  moments_.clear();
  with_elements(input_.get(), [this](const auto* x) {
    for_tiles([&](const ChannelTile& tile, auto width) { survey(x, tile, width, moments_); });
  });
}

void BatchNormLayer::meet_forward(std::span<MeetingLayer* const> pieces, CpuPass& pass) {
  for (std::size_t c = 0; c < channels(); ++c) {
    for (std::size_t i = 1; i < pieces.size(); ++i) {
      const Moments& other = dynamic_cast<BatchNormLayer*>(pieces[i])->moments_;
      moments_.add(c, other.count[c], other.mean[c], other.squares[c]);
    }
    take_statistics(pass, c, moments_.mean[c], moments_.squares[c] / moments_.count[c]);
    if (!pass.moved.empty()) move(pass, c);
  }
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    auto& piece = *dynamic_cast<BatchNormLayer*>(pieces[i]);
    piece.mean_ = mean_, piece.scale_ = scale_, piece.bias_ = bias_;
  }
}

void BatchNormLayer::take_statistics(const CpuPass& pass, std::size_t channel, double mean,
                                     double variance) {
  mean_.values[channel] = float(mean);
  scale_.values[channel] =
      float(stage_.slices[0].of(pass.x)[channel] / std::sqrt(variance + options_.epsilon));
  bias_.values[channel] = stage_.slices[1].of(pass.x)[channel];
}

/// The running statistics towards the batch's.
void BatchNormLayer::move(const CpuPass& pass, std::size_t channel) const {
  const float weight = pass.weight.value_or(float(options_.momentum));
  const double count = moments_.count[channel];
  const auto mean = float(moments_.mean[channel]);
  const auto variance = float(moments_.squares[channel] / std::max(count - 1, 1.0));
  float& running_mean = pass.moved[first_statistic_ + channel];
  float& running_variance = pass.moved[first_statistic_ + channels() + channel];
  running_mean = (1 - weight) * running_mean + weight * mean;
  running_variance = (1 - weight) * running_variance + weight * variance;
}

void BatchNormLayer::forward(CpuPass& pass) {
  if (!pass.fixed.empty()) {
    input_.refresh(stream_);
    for (std::size_t c = 0; c < channels(); ++c) {
      take_statistics(pass, c, pass.fixed[first_statistic_ + c],
                      pass.fixed[first_statistic_ + channels() + c]);
    }
  }
  with_elements(output_, [this](auto* y) {
    const auto* x = static_cast<const decltype(y)>(input_.get().get_data_handle());
    for_tiles([&](const ChannelTile& tile, auto width) {
      const Lanes mean = mean_.of(tile), scale = scale_.of(tile), bias = bias_.of(tile);
      write(y, tile, width, [&, relu = relu_](std::size_t i, std::size_t j) {
        const float value = (float(x[i]) - mean[j]) * scale[j] + bias[j];
        return relu && value < 0 ? 0.0f : value;  // a NaN stays one
      });
    });
  });
}

void BatchNormLayer::survey_backward(CpuPass&) {
  output_gradient_.refresh(stream_);
  std::ranges::fill(gradients_, 0.0);
  std::ranges::fill(products_, 0.0);
  const auto add = [](std::vector<double>& sums, const ChannelTile& tile, const Lanes& lanes) {
    if (tile.is_of_one_channel) {
      sums[tile.channel] += total(lanes);
    } else {
      for (std::size_t j = 0; j < tile.width; ++j) sums[tile.channel + j] += lanes[j];
    }
  };
  with_elements(output_gradient_.get(), [&](auto* dy) {
    const auto* x = static_cast<decltype(dy)>(input_.get().get_data_handle());
    for_tiles([&](const ChannelTile& tile, auto width) {
      const Lanes mean = mean_.of(tile), scale = scale_.of(tile), bias = bias_.of(tile);
      const auto passed = [&, relu = relu_](std::size_t i, std::size_t j) {
        const float value = (float(x[i]) - mean[j]) * scale[j] + bias[j];
        return relu && !(value > 0) ? 0.0f : float(dy[i]);
      };
      add(gradients_, tile, sum_lanes(tile, width, passed));
      add(products_, tile, sum_lanes(tile, width, [&](std::size_t i, std::size_t j) {
            return passed(i, j) * (float(x[i]) - mean[j]);
          }));
    });
  });
}

void BatchNormLayer::meet_backward(std::span<MeetingLayer* const> pieces, CpuPass& pass) {
  const View weight_gradient = stage_.slices[0].of(pass.g);
  const View bias_gradient = stage_.slices[1].of(pass.g);
  for (std::size_t c = 0; c < channels(); ++c) {
    for (std::size_t i = 1; i < pieces.size(); ++i) {
      auto& other = *dynamic_cast<BatchNormLayer*>(pieces[i]);
      gradients_[c] += other.gradients_[c];
      products_[c] += other.products_[c];
    }
    const double count = moments_.count[c];
    const double deviation = std::sqrt(moments_.squares[c] / count + options_.epsilon);
    weight_gradient[c] = float(products_[c] / deviation);
    bias_gradient[c] = float(gradients_[c]);
    const double scale = scale_.values[c];
    slope_.values[c] = float(-scale * products_[c] / (deviation * deviation) / count);
    shift_.values[c] = float(-scale * gradients_[c] / count);
  }
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    auto& piece = *dynamic_cast<BatchNormLayer*>(pieces[i]);
    piece.slope_ = slope_, piece.shift_ = shift_;
  }
}

void BatchNormLayer::backward(CpuPass&) {
  with_elements(input_gradient_, [this](auto* dx) {
    const auto* x = static_cast<decltype(dx)>(input_.get().get_data_handle());
    const auto* dy = static_cast<decltype(dx)>(output_gradient_.get().get_data_handle());
    for_tiles([&](const ChannelTile& tile, auto width) {
      const Lanes mean = mean_.of(tile), scale = scale_.of(tile), bias = bias_.of(tile);
      const Lanes slope = slope_.of(tile), shift = shift_.of(tile);
      write(dx, tile, width, [&, relu = relu_](std::size_t i, std::size_t j) {
        const float d = float(x[i]) - mean[j];
        const bool passes = !relu || d * scale[j] + bias[j] > 0;
        return scale[j] * (passes ? float(dy[i]) : 0.0f) + slope[j] * d + shift[j];
      });
    });
  });
}

const Registered<CpuLayerEntry> kRegistered(BatchNorm().kind(),
                                            {[](const Workbench& bench, const Link& link) {
                                               return std::make_unique<BatchNormLayer>(bench, link);
                                             },
                                             /*absorbs_relu=*/true});

}  // namespace
}  // namespace easgd::cpu
