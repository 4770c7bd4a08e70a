// How the values of a batch lie, and passes between the two ways.
#pragma once

#include <cstddef>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// [N][C][P], or channels last, [N][P][C]; P pixels = H W.
struct Layout {
  int channels, pixels;
  bool channels_last;

  EASGD_HD std::size_t index(std::size_t n, int c, int p) const {
    const auto all = std::size_t(channels) * std::size_t(pixels);
    return n * all + (channels_last ? std::size_t(p) * std::size_t(channels) + std::size_t(c)
                                    : std::size_t(c) * std::size_t(pixels) + std::size_t(p));
  }
  /// Of the value at i.
  EASGD_HD int channel(std::size_t i) const {
    return int(channels_last ? i % std::size_t(channels)
                             : i / std::size_t(pixels) % std::size_t(channels));
  }
};

/// to [N][P][padded] = from [N][C][P], and zeros beyond C
template <class From, class To>
struct ToChannelsLast {
  To* to;
  const From* from;
  int channels, pixels, padded;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const auto wide = std::size_t(padded), p = std::size_t(pixels), c = i % wide;
    const std::size_t row = i / wide;
    const float value = c < std::size_t(channels)
                            ? float(from[(row / p * std::size_t(channels) + c) * p + row % p])
                            : 0.0f;
    to[i] = To((add ? float(to[i]) : 0.0f) + value);
  }
};

/// to [N][C][P] = from [N][P][padded], without what is beyond C
template <class From, class To>
struct FromChannelsLast {
  To* to;
  const From* from;
  int channels, pixels, padded;
  bool add;

  EASGD_HD void operator()(std::size_t i) const {
    const auto c = std::size_t(channels), p = std::size_t(pixels);
    const std::size_t n = i / (c * p), channel = i / p % c, pixel = i % p;
    const float value = float(from[(n * p + pixel) * std::size_t(padded) + channel]);
    to[i] = To((add ? float(to[i]) : 0.0f) + value);
  }
};

}  // namespace easgd::kernels
