// Legend: N samples in groups of 8 or 16, one a SIMD lane; C input channels, K kernel side, O
// output channels.
//
// Forward: one window of one group at a time. Its values ((K+1)^2 C vectors) and all weights stay
// in the first-level cache. With kernels of 5x5 four windows, by minimal filtering.
//
// Backward: each channel lists the outputs of eight samples that carry a gradient d, and then adds
// d times the K x K pixels that each saw to the gradient of its weights. Images have their channels
// innermost, so that a row of the pixels, K C values, is a vector or few, of eight if that is
// enough, as fewer of these cross a cache line: lanes beyond hold the neighbours' products, which
// nobody reads. 15 vectors are 15 registers of running sums.
#include "backend/cpu/pooled_conv2d.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <optional>

#include "backend/cpu/vector8.h"
#include "kernels/bf16.h"

namespace easgd::cpu {
namespace {

constexpr std::size_t kLanes = 8, kLine = PooledOutputs::kLine;
constexpr std::size_t kChannelsAtOnce = 4;
/// Outputs and gradients of one channel lie a batch apart, too far for the hardware to prefetch:
/// saves a quarter of the backward pass.
constexpr std::size_t kWindowsAhead = 16;

/// G w, of F(4, 5) with the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity.
std::array<float, FilteredWindows::kPatch> filter_numbers(const float* w) {
  const float a = w[0] + w[2] + w[4], b = w[1] + w[3];
  const float e = w[0] + 4 * w[2] + 16 * w[4], f = 2 * w[1] + 8 * w[3];
  const float g = w[0] + 0.25f * w[2] + 0.0625f * w[4], h = 0.5f * w[1] + 0.125f * w[3];
  constexpr float kOne = -2 / 9.0f, kTwo = 1 / 90.0f, kHalf = 32 / 45.0f;
  return {w[0],           kOne * (a + b),  kOne * (a - b),  kTwo * (e + f),
          kTwo * (e - f), kHalf * (g + h), kHalf * (g - h), w[4]};
}

/// For every set of eight lanes, as bits: its members, and then lane 0 as often as there is room.
constexpr auto kToTheLeft = [] {
  std::array<std::array<std::int32_t, kLanes>, 1 << kLanes> orders{};
  for (std::size_t set = 0; set < orders.size(); ++set) {
    std::size_t count = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      if (set >> lane & 1) orders[set][count++] = std::int32_t(lane);
    }
  }
  return orders;
}();

/// Which of eight are not kNowhere, as bits.
inline std::size_t passed(const std::uint8_t* argmax) {
  static_assert(PooledOutputs::kNowhere == 4);
  std::uint64_t eight;
  std::memcpy(&eight, argmax, sizeof eight);
  const std::uint64_t flags = ~eight >> 2 & 0x0101010101010101;  // the lowest bit of each byte
  return flags * 0x0102040810204080 >> 56;
}

/// Copies two vectors, or what there is of them.
inline void store_lanes(float* to, const float* from, std::size_t count) {
  if (count < kLine) return void(std::copy_n(from, count, to));
  store(to, load<Float8>(from));
  store(to + kLanes, load<Float8>(from + kLanes));
}

}  // namespace

bool PooledConv2d::can_narrow(const PooledConv2dShape& shape) {
  return pooled_windows()[0].forward_tiles && kernels::has_tiles() &&
         shape.in_channels * shape.kernel <= 2 * PooledTileWindow::kMostPairs;
}

PooledConv2d::PooledConv2d(const PooledConv2dShape& shape, kernels::Factors factors,
                           const PooledWindows& variant)
    : shape_(shape),
      factors_(factors),
      variant_(variant),
      lanes_(variant.lanes),
      windows_(shape.rows() * shape.columns()),
      groups_((shape.batch + lanes_ - 1) / lanes_),
      image_size_((shape.in_channels * shape.framed_height() * shape.framed_width() + kLanes - 1) /
                  kLanes * kLanes),
      kernel_rows_(shape.in_channels * shape.kernel),
      row_lanes_(kernel_rows_ <= kLanes ? kLanes : lanes_),
      row_vectors_((kernel_rows_ + row_lanes_ - 1) / row_lanes_),
      framed_(host_buffer(groups_ * lanes_ * image_size_ + row_vectors_ * row_lanes_)),
      grouped_(host_buffer(groups_ * lanes_ * image_size_)),
      argmax_(shape.out_channels * windows_ * groups_ * lanes_),
      weight_sums_(host_buffer(shape.out_channels * shape.kernel * row_vectors_ * row_lanes_)),
      bias_sums_(shape.out_channels),
      accumulate_((row_lanes_ == kLanes ? pooled_windows_of_8_lanes() : variant).accumulate) {
  assert(shape.kernel <= kLargestKernel);
  assert(image_size_ <= std::size_t{INT32_MAX} / kLanes);
  const std::size_t line = shape.framed_width() * shape.in_channels;
  for (std::size_t r = 0; r < kernel_rows_; ++r) {
    row_offsets_.push_back(std::int32_t(r % shape.kernel * line + r / shape.kernel));
  }
  for (std::size_t v = 0; v < shape.kernel * row_vectors_; ++v) {
    offsets_.push_back(std::int32_t(v / row_vectors_ * line + v % row_vectors_ * row_lanes_));
  }
  for (std::size_t window = 0; window < windows_; ++window) {
    Corners& corners = corners_.emplace_back();
    for (std::size_t output = 0; output < 4; ++output) {
      const std::size_t row = window / shape.columns() * 2 + output / 2;
      const std::size_t column = window % shape.columns() * 2 + output % 2;
      corners[output] = std::int32_t(row * line + column * shape.in_channels);
    }
  }
  item_gradients_ = host_buffer(2 * kChannelsAtOnce * capacity());
  item_corners_.resize(2 * kChannelsAtOnce * capacity());
  constexpr std::size_t kSide = FilteredWindows::kSide;
  if (factors == kernels::Factors::bf16) {
    words_.resize((shape.out_channels + 15) / 16 * shape.kernel * 16 * pairs());
  } else if (shape.kernel == FilteredWindows::kKernel && shape.rows() >= kSide &&
             shape.columns() >= kSide) {
    constexpr std::size_t kNumbers = FilteredWindows::kPatch * FilteredWindows::kPatch;
    filters_ = host_buffer(shape.out_channels * shape.in_channels * kNumbers);
    patch_ = host_buffer(shape.in_channels * kNumbers * lanes_);
  }
  lines_ = host_buffer(side() * side() * shape.out_channels * kLine);
}

std::size_t PooledConv2d::bytes() const {
  const std::size_t floats = framed_.size() + grouped_.size() + weight_sums_.size() +
                             filters_.size() + patch_.size() + lines_.size() +
                             item_gradients_.size();
  return floats * sizeof(float) + argmax_.size() +
         (words_.size() + item_corners_.size()) * sizeof(std::int32_t);
}

void PooledConv2d::forward(ConstView images, ConstView weight, ConstView bias, float* y) {
  for (std::size_t group = 0; group < groups_; ++group) take_samples(images.data(), group);
  std::optional<kernels::Tiles> tiles;
  if (factors_ == kernels::Factors::bf16) {
    constexpr auto kSums = kernels::TileShape{16, 16};
    const int row = int(pairs());
    const kernels::TileShape weights = {16, row}, pixels = {row, 16};
    tiles.emplace(std::array{kSums, kSums, kSums, kSums, weights, pixels, pixels, kSums});
    take_weights(weight);
  }
  if (filters()) take_filters(weight);
  const auto steps = [this](std::size_t windows) { return (windows + side() - 1) / side(); };
  const std::size_t in_line = kLine / lanes_, lines = (groups_ + in_line - 1) / in_line;
  const std::size_t rows = steps(shape_.rows()), columns = steps(shape_.columns());
  for (std::size_t share = 0; share < lines * rows; ++share) {
    const std::size_t first = share / rows * in_line;
    const std::size_t samples = std::min(kLine, shape_.batch - first * lanes_);
    // The last may compute again what the one before has.
    const std::size_t row = std::min(share % rows * side(), shape_.rows() - side());
    for (std::size_t step = 0; step < columns; ++step) {
      const std::size_t column = std::min(step * side(), shape_.columns() - side());
      const std::size_t window = row * shape_.columns() + column;
      for (std::size_t group = first; group < std::min(first + in_line, groups_); ++group) {
        float* const lines_of = lines_.data() + (group - first) * lanes_;
        if (tiles) {
          tile_window(group, window, bias, lines_of);
        } else if (filters()) {
          filter_windows(group, window, bias, lines_of);
        } else {
          forward_window(group, window, weight, bias, lines_of);
        }
      }
      const float* from = lines_.data();
      for (std::size_t i = 0; i < side() * side(); ++i) {
        float* to = y + (window + neighbour(i)) * shape_.batch + first * lanes_;
        for (std::size_t o = 0; o < shape_.out_channels; ++o, from += kLine) {
          __builtin_prefetch(to + kWindowsAhead * shape_.batch, 1);
          store_lanes(to, from, samples);
          to += windows_ * shape_.batch;
        }
      }
    }
  }
}

void PooledConv2d::take_samples(const float* images, std::size_t group) {
  const std::size_t channels = shape_.in_channels, pixels = shape_.height * shape_.width;
  const std::size_t end = std::min((group + 1) * lanes_, shape_.batch);
  for (std::size_t n = group * lanes_; n < end; ++n) {
    for (std::size_t row = 0; row < shape_.height; ++row) {
      const float* from = images + n * channels * pixels + row * shape_.width;
      float* to = image(n) + ((row + shape_.pad) * shape_.framed_width() + shape_.pad) * channels;
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t column = 0; column < shape_.width; ++column) {
          to[column * channels + c] = from[c * pixels + column];
        }
      }
    }
  }
  float* grouped = grouped_.data() + group * lanes_ * image_size_;
  for (std::size_t lane = 0; lane < lanes_; lane += kLanes) {
    const float* samples = image(group * lanes_ + lane);
    for (std::size_t i = 0; i < image_size_; i += kLanes) {
      Float8 square[kLanes];
      for (std::size_t k = 0; k < kLanes; ++k) {
        square[k] = load<Float8>(samples + k * image_size_ + i);
      }
      transpose(square);
      for (std::size_t k = 0; k < kLanes; ++k) store(grouped + (i + k) * lanes_ + lane, square[k]);
    }
  }
  if (factors_ == kernels::Factors::bf16) variant_.pair_values(grouped, image_size_, words(group));
}

/// Of the channels from `o` on.
PooledOutputs PooledConv2d::outputs(std::size_t group, std::size_t window, std::size_t o,
                                    float* lines) {
  return {
      .relu = shape_.relu,
      .lines = lines + o * kLine,
      .argmax = argmax_.data() + ((group * windows_ + window) * shape_.out_channels + o) * lanes_};
}

/// Channels beyond the last are 0.
void PooledConv2d::take_weights(ConstView weight) {
  const std::size_t kernel = shape_.kernel, channels = shape_.in_channels;
  for (std::size_t o = 0; o < shape_.out_channels; ++o) {
    for (std::size_t row = 0; row < kernel; ++row) {
      std::int32_t* to = words_.data() + ((o / 16 * kernel + row) * 16 + o % 16) * pairs();
      const auto value = [&](std::size_t i) -> std::uint32_t {
        if (i == kernel_rows_) return 0;
        const std::size_t tap = (i % channels * kernel + row) * kernel + i / channels;
        return kernels::Bf16(weight[o * kernel_rows_ * kernel + tap]).bits;
      };
      for (std::size_t pair = 0; pair < pairs(); ++pair) {
        to[pair] = std::int32_t(value(2 * pair) | value(2 * pair + 1) << 16);
      }
    }
  }
}

void PooledConv2d::take_filters(ConstView weight) {
  constexpr std::size_t kKernel = FilteredWindows::kKernel, kPatch = FilteredWindows::kPatch;
  const std::size_t in_channels = shape_.in_channels;
  for (std::size_t o = 0; o < shape_.out_channels; ++o) {
    for (std::size_t c = 0; c < in_channels; ++c) {
      const float* w = weight.data() + (o * in_channels + c) * kKernel * kKernel;
      std::array<std::array<float, kKernel>, kPatch> columns;
      for (std::size_t i = 0; i < kKernel; ++i) {
        const auto row = filter_numbers(w + i * kKernel);
        for (std::size_t j = 0; j < kPatch; ++j) columns[j][i] = row[j];
      }
      for (std::size_t j = 0; j < kPatch; ++j) {
        std::ranges::copy(filter_numbers(columns[j].data()),
                          filters_.data() + ((o * kPatch + j) * in_channels + c) * kPatch);
      }
    }
  }
}

void PooledConv2d::tile_window(std::size_t group, std::size_t window, ConstView bias,
                               float* lines) {
  const std::size_t pixel = shape_.in_channels * lanes_;
  for (std::size_t o = 0; o < shape_.out_channels; o += lanes_) {
    variant_.forward_tiles({.outputs = outputs(group, window, o, lines),
                            .channels = std::min(lanes_, shape_.out_channels - o),
                            .corner = words(group) + std::size_t(corners_[window][0]) * lanes_,
                            .pixel = pixel,
                            .line = shape_.framed_width() * pixel,
                            .kernel = shape_.kernel,
                            .pairs = pairs(),
                            .weight = words_.data() + o * shape_.kernel * pairs(),
                            .bias = bias.data() + o});
  }
}

void PooledConv2d::forward_window(std::size_t group, std::size_t window, ConstView weight,
                                  ConstView bias, float* lines) {
  const std::size_t channels = shape_.out_channels, most = variant_.channels;
  const std::size_t pixel = shape_.in_channels * lanes_;
  for (std::size_t o = 0; o < channels;) {
    const std::size_t left = channels - o;  // rather two and two than three and one
    const std::size_t count =
        left > most && left < 2 * most ? (left + 1) / 2 : std::min(left, most);
    variant_.forward[count - 1]({.outputs = outputs(group, window, o, lines),
                                 .corner = corner(group, window),
                                 .pixel = pixel,
                                 .line = shape_.framed_width() * pixel,
                                 .row_offsets = row_offsets_.data(),
                                 .kernel_rows = kernel_rows_,
                                 .kernel = shape_.kernel,
                                 .weight = weight.data() + o * kernel_rows_ * shape_.kernel,
                                 .bias = bias.data() + o});
    o += count;
  }
}

void PooledConv2d::filter_windows(std::size_t group, std::size_t window, ConstView bias,
                                  float* lines) {
  const std::size_t pixel = shape_.in_channels * lanes_;
  variant_.transform_patch(corner(group, window), pixel, shape_.framed_width() * pixel,
                           shape_.in_channels, patch_.data());
  FilteredWindows windows{.outputs = {},
                          .in_channels = shape_.in_channels,
                          .out_channels = shape_.out_channels,
                          .patch = patch_.data(),
                          .weight = filters_.data(),
                          .bias = bias.data()};
  for (std::size_t i = 0; i < windows.outputs.size(); ++i) {
    windows.outputs[i] =
        outputs(group, window + neighbour(i), 0, lines + i * shape_.out_channels * kLine);
  }
  variant_.filter(windows);
}

void PooledConv2d::backward(const float* dy, View dweight, View dbias) {
  const std::size_t channels = shape_.out_channels, kernel = shape_.kernel;
  for (std::size_t begin = 0; begin < channels; begin += kChannelsAtOnce) {
    backward_channels(begin, std::min(begin + kChannelsAtOnce, channels), dy);
  }
  std::ranges::copy(bias_sums_, dbias.begin());
  const float* sums = weight_sums_.data();
  for (std::size_t row = 0; row < channels * kernel; ++row, sums += row_vectors_ * row_lanes_) {
    float* to = dweight.data() + (row / kernel * kernel_rows_ + row % kernel) * kernel;
    for (std::size_t i = 0; i < kernel_rows_; ++i) {
      to[i % shape_.in_channels * kernel * kernel + i / shape_.in_channels] = sums[i];
    }
  }
}

void PooledConv2d::backward_channels(std::size_t begin, std::size_t end, const float* dy) {
  constexpr std::size_t kAtOnce = PooledWindows::kMostVectors;
  const std::size_t vectors = offsets_.size();
  const auto sums = [&](std::size_t o) { return weight_sums_.data() + o * vectors * row_lanes_; };
  std::fill(sums(begin), sums(end), 0.0f);
  std::fill(bias_sums_.data() + begin, bias_sums_.data() + end, 0.0f);
  for (std::size_t first = 0; first < shape_.batch; first += kLine) {
    std::array<PooledItems, 2> items[kChannelsAtOnce];
    for (std::size_t o = begin; o < end; ++o) {
      for (std::size_t half : {0, 1}) {
        const std::size_t list = (2 * (o - begin) + half) * capacity();
        items[o - begin][half] = {item_gradients_.data() + list, item_corners_.data() + list, 0};
      }
      collect(o, first, dy, items[o - begin]);
    }
    for (std::size_t half = 0; half < 2 && first + half * kLanes < shape_.batch; ++half) {
      const float* const images = image(first + half * kLanes);
      for (std::size_t o = begin; o < end; ++o) {
        for (std::size_t v = 0; v < vectors; v += kAtOnce) {
          accumulate_[std::min(kAtOnce, vectors - v) - 1](
              items[o - begin][half], images, offsets_.data() + v, sums(o) + v * row_lanes_);
        }
      }
    }
  }
}

/// Lists what passed of a channel in a line of samples from `first` on, eight to a list; corners
/// count from the first image of the eight.
void PooledConv2d::collect(std::size_t channel, std::size_t first, const float* dy,
                           std::array<PooledItems, 2>& items) {
  const auto size = std::int32_t(image_size_);
  const Int8 images = {0, size, 2 * size, 3 * size, 4 * size, 5 * size, 6 * size, 7 * size};
  const std::size_t samples = std::min(kLine, shape_.batch - first);
  Float8 totals[2] = {};
  for (std::size_t window = 0; window < windows_; ++window) {
    const float* from = dy + (channel * windows_ + window) * shape_.batch + first;
    __builtin_prefetch(from + kWindowsAhead * shape_.batch);
    for (std::size_t half = 0; half * kLanes < samples; ++half) {
      const std::size_t some = std::min(kLanes, samples - half * kLanes);
      Float8 gradient{};
      if (some == kLanes) {
        gradient = load<Float8>(from + half * kLanes);
      } else {
        std::memcpy(&gradient, from + half * kLanes, some * sizeof(float));
      }
      const std::size_t sample = first + half * kLanes, group = sample / lanes_;
      const std::uint8_t* const argmax =
          argmax_.data() + ((group * windows_ + window) * shape_.out_channels + channel) * lanes_ +
          sample % lanes_;
      Int8 which;
      widen(argmax, which);
      totals[half] += which == PooledOutputs::kNowhere ? Float8{} : gradient;
      // Eight are written; those that carry a gradient come first, and they alone count.
      const std::size_t kept = passed(argmax);
      const Int8 order = std::bit_cast<Int8>(kToTheLeft[kept]);
      const Int8 at = __builtin_shuffle(load<Int8>(corners_[window].data()), which) + images;
      PooledItems& list = items[half];
      store(list.gradients + list.count, __builtin_shuffle(gradient, order));
      store(list.corners + list.count, __builtin_shuffle(at, order));
      list.count += std::size_t(std::popcount(kept));
    }
  }
  for (const Float8& total : totals) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) bias_sums_[channel] += total[lane];
  }
}

}  // namespace easgd::cpu
