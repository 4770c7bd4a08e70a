// Legend: N samples in groups of 8, one a SIMD lane; C input channels, K kernel side, O output channels.
//
// Forward: one window of one group at a time. Its pixels ((K+1)^2 C vectors) and all weights stay in the
// first-level cache; four outputs of three channels are twelve registers of running sums.
//
// Backward: each channel lists the outputs that carry a gradient d, and then adds d times the K x K
// pixels that each saw to the gradient of its weights, a row of the kernel a vector: lanes beyond K hold
// the neighbouring pixels' products, which nobody reads. 15 rows are 15 registers of running sums.
#include "backend/cpu/pooled_conv2d.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "backend/cpu/team.h"
#include "backend/cpu/vector8.h"

namespace easgd::cpu {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::int32_t kNowhere = 4;  ///< places 0..3 are the window's
constexpr std::size_t kChannelsAtOnce = 4;
constexpr std::size_t kRowsAtOnce = 15;

/// sums[r] += gradient * the 8 pixels at corner + offsets[r], over all items.
template <std::size_t kRows, class Item>
void accumulate(const Item* items, std::size_t count, const float* image,
                const std::int32_t* offsets, float* sums) {
  Float8 sum[kRows];
  for (std::size_t r = 0; r < kRows; ++r) sum[r] = load<Float8>(sums + r * kLanes);
  for (std::size_t i = 0; i < count; ++i) {
    const Float8 gradient = items[i].gradient - Float8{};
    const float* corner = image + items[i].corner;
#pragma GCC unroll 16
    for (std::size_t r = 0; r < kRows; ++r) sum[r] += gradient * load<Float8>(corner + offsets[r]);
  }
  for (std::size_t r = 0; r < kRows; ++r) store(sums + r * kLanes, sum[r]);
}

/// accumulate<1> .. accumulate<15>.
template <class Item>
constexpr auto kAccumulate = []<std::size_t... r>(std::index_sequence<r...>) {
  return std::array{&accumulate<r + 1, Item>...};
}(std::make_index_sequence<kRowsAtOnce>{});

}  // namespace

PooledConv2d::PooledConv2d(const PooledConv2dShape& shape)
    : shape_(shape),
      windows_(shape.rows() * shape.columns()),
      groups_((shape.batch + kLanes - 1) / kLanes),
      image_size_(shape.in_channels * shape.framed_height() * shape.framed_width()),
      kernel_rows_(shape.in_channels * shape.kernel),
      framed_(host_buffer(groups_ * kLanes * image_size_ + kLanes)),
      grouped_(host_buffer(groups_ * kLanes * image_size_)),
      places_(shape.out_channels * windows_ * groups_ * kLanes),
      weight_rows_(host_buffer(shape.out_channels * kernel_rows_ * kLanes)),
      bias_sums_(host_buffer(shape.out_channels * kLanes)) {
  assert(shape.kernel <= kLargestKernel);
  for (std::size_t r = 0; r < kernel_rows_; ++r) {
    const std::size_t channel = r / shape.kernel, row = r % shape.kernel;
    row_offsets_.push_back(
        std::int32_t((channel * shape.framed_height() + row) * shape.framed_width()));
  }
  items_.resize(std::size_t(omp_get_max_threads()));
  for (auto& items : items_) items.resize(kChannelsAtOnce * kLanes * (windows_ + 1));
}

std::size_t PooledConv2d::bytes() const {
  const std::size_t floats =
      framed_.size() + grouped_.size() + weight_rows_.size() + bias_sums_.size();
  return floats * sizeof(float) + places_.size() + items_.size() * items_[0].size() * sizeof(Item);
}

void PooledConv2d::forward(ConstView images, ConstView weight, ConstView bias, float* y) {
  for_each_share(groups_, [&](std::size_t group) { take_samples(images.data(), group); });
  // Two groups side by side fill a cache line of y.
  const std::size_t pairs = (groups_ + 1) / 2;
  for_each_share(pairs * shape_.rows(), [&](std::size_t share) {
    const std::size_t first = share / shape_.rows() * 2;
    const std::size_t row = share % shape_.rows() * shape_.columns();
    for (std::size_t window = row; window < row + shape_.columns(); ++window) {
      for (std::size_t group = first; group < std::min(first + 2, groups_); ++group) {
        forward_window(group, window, weight, bias, y);
      }
    }
  });
}

void PooledConv2d::take_samples(const float* images, std::size_t group) {
  const std::size_t width = shape_.width, framed_width = shape_.framed_width();
  const std::size_t lines = shape_.in_channels * shape_.height;
  const std::size_t end = std::min((group + 1) * kLanes, shape_.batch);
  for (std::size_t n = group * kLanes; n < end; ++n) {
    for (std::size_t line = 0; line < lines; ++line) {
      const std::size_t channel = line / shape_.height, row = line % shape_.height;
      std::copy_n(images + (n * lines + line) * width, width,
                  image(n) + (channel * shape_.framed_height() + row + shape_.pad) * framed_width +
                      shape_.pad);
    }
  }
  const float* samples = image(group * kLanes);
  float* grouped = grouped_.data() + group * kLanes * image_size_;
  std::size_t i = 0;
  for (; i + kLanes <= image_size_; i += kLanes) {
    Float8 square[kLanes];
    for (std::size_t k = 0; k < kLanes; ++k) square[k] = load<Float8>(samples + k * image_size_ + i);
    transpose(square);
    for (std::size_t k = 0; k < kLanes; ++k) store(grouped + (i + k) * kLanes, square[k]);
  }
  for (; i < image_size_; ++i) {
    for (std::size_t k = 0; k < kLanes; ++k) grouped[i * kLanes + k] = samples[k * image_size_ + i];
  }
}

void PooledConv2d::forward_window(std::size_t group, std::size_t window, ConstView weight,
                                  ConstView bias, float* y) {
  const std::size_t row = window / shape_.columns() * 2, column = window % shape_.columns() * 2;
  const float* corner = grouped_.data() + group * kLanes * image_size_ +
                        (row * shape_.framed_width() + column) * kLanes;
  float* result = y + window * shape_.batch + group * kLanes;
  std::uint8_t* place = places_.data() + (window * groups_ + group) * kLanes;
  const std::size_t samples = std::min(kLanes, shape_.batch - group * kLanes);
  for (std::size_t o = 0, left = shape_.out_channels; left > 0; left = shape_.out_channels - o) {
    if (left == 3 || left > 4) {
      forward_channels<3>(corner, o, weight, bias, result, place, samples);
      o += 3;
    } else if (left >= 2) {
      forward_channels<2>(corner, o, weight, bias, result, place, samples);
      o += 2;
    } else {
      forward_channels<1>(corner, o, weight, bias, result, place, samples);
      o += 1;
    }
  }
}

template <int kChannels>
void PooledConv2d::forward_channels(const float* corner, std::size_t channel, ConstView weight,
                                    ConstView bias, float* y, std::uint8_t* place,
                                    std::size_t samples) {
  const std::size_t line = shape_.framed_width() * kLanes, taps = kernel_rows_ * shape_.kernel;
  const float* w = weight.data() + channel * taps;
  Float8 sum[kChannels][4];
  for (int o = 0; o < kChannels; ++o) {
    for (Float8& s : sum[o]) s = bias[channel + std::size_t(o)] - Float8{};
  }
  for (std::size_t r = 0; r < kernel_rows_; ++r) {
    const float* x = corner + std::size_t(row_offsets_[r]) * kLanes;
    for (std::size_t k = 0; k < shape_.kernel; ++k, x += kLanes, ++w) {
      asm("" : "+r"(x));  // or the compiler keeps pixels for the next k, and spills a sum for them
      const float* seen[4] = {x, x + kLanes, x + line, x + line + kLanes};
#pragma GCC unroll 4
      for (int place_in_window = 0; place_in_window < 4; ++place_in_window) {
        const Float8 pixel = load<Float8>(seen[place_in_window]);
#pragma GCC unroll 3
        for (int o = 0; o < kChannels; ++o) {
          sum[o][place_in_window] += w[std::size_t(o) * taps] * pixel;
        }
      }
    }
  }
  for (int o = 0; o < kChannels; ++o) {
    Float8 best = sum[o][0];
    Int8 where{};
    for (int k = 1; k < 4; ++k) {
      where = sum[o][k] > best ? k - Int8{} : where;
      best = sum[o][k] > best ? sum[o][k] : best;
    }
    if (shape_.relu) {
      where = best > 0 ? where : kNowhere - Int8{};
      best = best < 0 ? Float8{} : best;
    }
    const std::size_t plane = (channel + std::size_t(o)) * windows_;
    std::copy_n(reinterpret_cast<const float*>(&best), samples, y + plane * shape_.batch);
    store(place + plane * groups_ * kLanes, __builtin_convertvector(where, Byte8));
  }
}

void PooledConv2d::backward(const float* dy, View dweight, View dbias) {
  const std::size_t channels = shape_.out_channels, kernel = shape_.kernel;
  for_each_share((channels + kChannelsAtOnce - 1) / kChannelsAtOnce, [&](std::size_t share) {
    const std::size_t begin = share * kChannelsAtOnce;
    backward_channels(begin, std::min(begin + kChannelsAtOnce, channels), dy);
  });
  for (std::size_t o = 0; o < channels; ++o) {
    const float* sums = bias_sums_.data() + o * kLanes;
    dbias[o] = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  }
  for (std::size_t r = 0; r < channels * kernel_rows_; ++r) {
    std::copy_n(weight_rows_.data() + r * kLanes, kernel, dweight.data() + r * kernel);
  }
}

void PooledConv2d::backward_channels(std::size_t begin, std::size_t end, const float* dy) {
  const std::size_t row_floats = kernel_rows_ * kLanes, capacity = windows_ + 1;
  Item* lists = items_[std::size_t(omp_get_thread_num())].data();
  std::size_t counts[kChannelsAtOnce * kLanes];
  std::fill(weight_rows_.data() + begin * row_floats, weight_rows_.data() + end * row_floats, 0.0f);
  std::fill(bias_sums_.data() + begin * kLanes, bias_sums_.data() + end * kLanes, 0.0f);
  for (std::size_t group = 0; group < groups_; ++group) {
    for (std::size_t o = begin; o < end; ++o) {
      collect(o, group, dy, lists + (o - begin) * kLanes * capacity, counts + (o - begin) * kLanes);
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float* pixels = image(group * kLanes + lane);
      for (std::size_t o = begin; o < end; ++o) {
        const std::size_t list = (o - begin) * kLanes + lane;
        for (std::size_t r = 0; r < kernel_rows_; r += kRowsAtOnce) {
          const std::size_t rows = std::min(kRowsAtOnce, kernel_rows_ - r);
          kAccumulate<Item>[rows - 1](lists + list * capacity, counts[list], pixels,
                                      row_offsets_.data() + r,
                                      weight_rows_.data() + o * row_floats + r * kLanes);
        }
      }
    }
  }
}

void PooledConv2d::collect(std::size_t channel, std::size_t group, const float* dy, Item* lists,
                           std::size_t* counts) {
  const std::size_t capacity = windows_ + 1, width = shape_.framed_width();
  const std::size_t samples = std::min(kLanes, shape_.batch - group * kLanes);
  const std::int32_t step[4] = {0, 1, std::int32_t(width), std::int32_t(width) + 1};
  Float8 sum{};
  std::fill_n(counts, kLanes, 0);
  for (std::size_t window = 0; window < windows_; ++window) {
    const std::size_t plane = channel * windows_ + window;
    const auto corner = std::int32_t((window / shape_.columns() * width + window % shape_.columns()) * 2);
    const std::uint8_t* place = places_.data() + (plane * groups_ + group) * kLanes;
    const float* gradient = dy + plane * shape_.batch + group * kLanes;
    for (std::size_t lane = 0; lane < samples; ++lane) {
      const bool seen = place[lane] < kNowhere;
      lists[lane * capacity + counts[lane]] = {gradient[lane], corner + step[place[lane] & 3]};
      counts[lane] += seen;
      sum[lane] += seen ? gradient[lane] : 0.0f;
    }
  }
  store(bias_sums_.data() + channel * kLanes, load<Float8>(bias_sums_.data() + channel * kLanes) + sum);
}

}  // namespace easgd::cpu
