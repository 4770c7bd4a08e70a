// Batch normalisation: nn/batch_norm.h has the formula. With d = x - mean and the N values of a
// channel in the whole batch,
//
//   scale = weight / sqrt(variance + epsilon)
//   y = d scale + bias, then max(y, 0) if a ReLU is fused
//   dweight = sum(dy d) / sqrt(variance + epsilon)      dbias = sum(dy)
//   dx = scale (dy - sum(dy) / N - d sum(dy d) / (variance + epsilon) / N)
//
// in two passes over memory forward and two backward: one to survey, one after the meeting. The
// last of these is left to a convolution before it that can do it while it reads.
#include "nn/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/channel_tiles.h"
#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/storage.h"
#include "base/trace.h"

namespace easgd::cpu {
namespace {

/// As many channels may a block of a layout hold that there are not.
constexpr std::size_t kBeyond = 16;

inline void fill(float number, float& lanes) {
  lanes = number;
}
inline void fill(float number, Float8& lanes) {
  lanes = number - Float8{};
}
inline float lane(float lanes, std::size_t) {
  return lanes;
}
inline float lane(const Float8& lanes, std::size_t j) {
  return lanes[j];
}

/// Numbers of each channel.
struct Channels {
  explicit Channels(std::size_t count) : values(count + kBeyond) {}
  /// Those of a tile's lanes.
  template <class Width>
  typename Width::Float of(Width, const ChannelTile& tile) const {
    typename Width::Float lanes;
    if (tile.is_of_one_channel) {
      fill(values[tile.channel], lanes);
    } else {
      load_floats(values.data() + tile.channel, lanes);
    }
    return lanes;
  }
  std::vector<float> values;
};

/// Adds the lanes of a tile to the sums of their channels.
template <class Width>
void add_lanes(Width, const ChannelTile& tile, const typename Width::Float& lanes,
               std::vector<double>& sums) {
  for (std::size_t j = 0; j < Width::kWidth; ++j) {
    sums[tile.channel + (tile.is_of_one_channel ? 0 : j)] += lane(lanes, j);
  }
}

/// Count, mean and sum of squared deviations of each channel.
struct Moments {
  explicit Moments(std::size_t channels)
      : count(channels + kBeyond), mean(count.size()), squares(count.size()) {}

  void clear() {
    for (auto* numbers : {&count, &mean, &squares}) std::ranges::fill(*numbers, 0.0);
  }
  /// Those of more values. Source: [Chan, Golub and LeVeque 1979]
  void add(std::size_t channel, double more, double mean_of_more, double squares_of_more) {
    if (more == 0) return;
    const double all = count[channel] + more, delta = mean_of_more - mean[channel];
    squares[channel] += squares_of_more + delta * delta * count[channel] * (more / all);
    mean[channel] += delta * (more / all);
    count[channel] = all;
  }

  std::vector<double> count, mean, squares;
};

/// sums[k] = the sum over a tile's rows of what f(i, terms) puts into terms[k] for a row at i.
template <class Width, std::size_t kSums, class Function>
void sum_rows(Width, const ChannelTile& tile, typename Width::Float (&sums)[kSums],
              const Function& f) {
  constexpr std::size_t kChains = 4;  // of additions, which wait for each other
  typename Width::Float chains[kChains][kSums] = {}, terms[kSums];
  for (std::size_t row = 0; row < tile.rows; row += kChains) {
    for (std::size_t c = 0; c < std::min(kChains, tile.rows - row); ++c) {
      f(tile.offset + (row + c) * tile.stride, terms);
      for (std::size_t k = 0; k < kSums; ++k) chains[c][k] += terms[k];
    }
  }
  for (std::size_t k = 0; k < kSums; ++k) {
    sums[k] = (chains[0][k] + chains[1][k]) + (chains[2][k] + chains[3][k]);
  }
}

template <class Width, class T>
void survey(Width width, const T* x, const ChannelTile& tile, Moments& moments) {
  using Float = typename Width::Float;
  Float mean[1], squares[1];
  sum_rows(width, tile, mean,
           [x](std::size_t i, Float(&terms)[1]) { load_floats(x + i, terms[0]); });
  const std::size_t count = tile.rows * (tile.is_of_one_channel ? Width::kWidth : 1);
  if (tile.is_of_one_channel) {
    float sum = 0;
    for (std::size_t j = 0; j < Width::kWidth; ++j) sum += lane(mean[0], j);
    fill(sum, mean[0]);
  }
  mean[0] /= float(count);
  sum_rows(width, tile, squares, [x, &mean](std::size_t i, Float(&terms)[1]) {
    Float value;
    load_floats(x + i, value);
    terms[0] = (value - mean[0]) * (value - mean[0]);
  });
  if (tile.is_of_one_channel) {
    double sum = 0;
    for (std::size_t j = 0; j < Width::kWidth; ++j) sum += lane(squares[0], j);
    return moments.add(tile.channel, double(count), lane(mean[0], 0), sum);
  }
  for (std::size_t j = 0; j < Width::kWidth; ++j) {
    moments.add(tile.channel + j, double(count), lane(mean[0], j), lane(squares[0], j));
  }
}

class BatchNormLayer final : public MeetingLayer {
 public:
  BatchNormLayer(const Workbench& bench, const Link& link)
      : MeetingLayer(*link.stage),
        stage_(*link.stage),
        options_(dynamic_cast<const BatchNorm&>(*stage_.layer)),
        relu_(link.relu),
        first_statistic_(stage_.statistics[0].offset - bench.network().parameter_count()),
        moments_(channels()),
        mean_(channels()),
        scale_(channels()),
        bias_(channels()),
        slope_(channels()),
        shift_(channels()),
        gradients_(channels() + kBeyond),
        products_(channels() + kBeyond) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override;
  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override;
  bool meets(const CpuPass& pass) const override { return pass.fixed.empty(); }
  void survey_forward(CpuPass& pass) override;
  void meet_forward(std::span<MeetingLayer* const> pieces, CpuPass& pass) override;
  void forward(CpuPass& pass) override;
  void survey_backward(CpuPass& pass) override;
  void meet_backward(std::span<MeetingLayer* const> pieces, CpuPass& pass) override;
  void backward(CpuPass& pass) override;
  void leave_unnormalised() override { is_left_ = !input_.copies(); }

 private:
  std::size_t channels() const { return stage_.slices[0].count; }
  void take_statistics(const CpuPass& pass, std::size_t channel, double mean, double variance);
  void move(const CpuPass& pass, std::size_t channel) const;
  const Stage& stage_;
  const BatchNorm& options_;
  const bool relu_;
  const std::size_t first_statistic_;  // of running_mean; running_var follows
  dnnl::stream stream_;
  Planes planes_{};
  Converted input_, output_gradient_;
  memory output_, input_gradient_;
  bool is_left_ = false;  // to whoever makes the input, the last pass
  kernels::NormalisationBehind behind_{};

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
  return {output_, true, true};
}

Activation BatchNormLayer::compile_backward(Workbench& bench, const Activation& dy, bool) {
  output_gradient_ = Converted(bench, dy.values, output_.get_desc());
  if (is_left_) return {.values = output_gradient_.get(), .behind = &behind_};
  const bool is_own = dy.disposable || output_gradient_.copies();
  input_gradient_ = is_own ? output_gradient_.get() : bench.make(output_.get_desc());
  return {input_gradient_, true};
}

void BatchNormLayer::survey_forward(CpuPass&) {
  input_.refresh(stream_);
  moments_.clear();
  with_elements(input_.get(), [this](const auto* x) {
    for_channel_tiles(planes_, channels(), [&](auto width, const ChannelTile& tile) {
      survey(width, x, tile, moments_);
    });
  });
}

void BatchNormLayer::meet_forward(std::span<MeetingLayer* const> pieces, CpuPass& pass) {
  const TraceScope scope(names().forward.c_str());
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
    const auto* x = static_cast<decltype(y)>(input_.get().get_data_handle());
    for_channel_tiles(planes_, channels(), [&](auto width, const ChannelTile& tile) {
      using Float = typename decltype(width)::Float;
      const Float mean = mean_.of(width, tile), scale = scale_.of(width, tile);
      const Float bias = bias_.of(width, tile);
      for (std::size_t row = 0; row < tile.rows; ++row) {
        const std::size_t i = tile.offset + row * tile.stride;
        Float value;
        load_floats(x + i, value);
        value = (value - mean) * scale + bias;
        if (relu_) value = value < 0 ? Float{} : value;  // a NaN stays one
        store_floats(y + i, value);
      }
    });
  });
}

void BatchNormLayer::survey_backward(CpuPass&) {
  output_gradient_.refresh(stream_);
  std::ranges::fill(gradients_, 0.0);
  std::ranges::fill(products_, 0.0);
  with_elements(output_gradient_.get(), [this](auto* dy) {
    const auto* x = static_cast<decltype(dy)>(input_.get().get_data_handle());
    for_channel_tiles(planes_, channels(), [&](auto width, const ChannelTile& tile) {
      using Float = typename decltype(width)::Float;
      const Float mean = mean_.of(width, tile), scale = scale_.of(width, tile);
      const Float bias = bias_.of(width, tile);
      Float sums[2];
      sum_rows(width, tile, sums, [&](std::size_t i, Float(&terms)[2]) {
        Float d;
        load_floats(x + i, d);
        load_floats(dy + i, terms[0]);
        d -= mean;
        if (relu_) terms[0] = d * scale + bias > 0 ? terms[0] : Float{};
        terms[1] = terms[0] * d;
      });
      add_lanes(width, tile, sums[0], gradients_);
      add_lanes(width, tile, sums[1], products_);
    });
  });
}

void BatchNormLayer::meet_backward(std::span<MeetingLayer* const> pieces, CpuPass& pass) {
  const TraceScope scope(names().backward.c_str());
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
  if (is_left_) {
    behind_ = {.y = floats(input_.get()),
               .mean = mean_.values.data(),
               .scale = scale_.values.data(),
               .bias = bias_.values.data(),
               .slope = slope_.values.data(),
               .shift = shift_.values.data(),
               .relu = relu_};
    return;
  }
  with_elements(input_gradient_, [this](auto* dx) {
    const auto* x = static_cast<decltype(dx)>(input_.get().get_data_handle());
    const auto* dy = static_cast<decltype(dx)>(output_gradient_.get().get_data_handle());
    for_channel_tiles(planes_, channels(), [&](auto width, const ChannelTile& tile) {
      using Float = typename decltype(width)::Float;
      const Float mean = mean_.of(width, tile), scale = scale_.of(width, tile);
      const Float bias = bias_.of(width, tile), slope = slope_.of(width, tile);
      const Float shift = shift_.of(width, tile);
      for (std::size_t row = 0; row < tile.rows; ++row) {
        const std::size_t i = tile.offset + row * tile.stride;
        Float d, gradient;
        load_floats(x + i, d);
        load_floats(dy + i, gradient);
        d -= mean;
        if (relu_) gradient = d * scale + bias > 0 ? gradient : Float{};
        store_floats(dx + i, scale * gradient + (slope * d + shift));
      }
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
