// How the values of a batch lie, and passes between the two ways.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// Of a value in a batch, which has fewer than 2^32 of them: a device divides such numbers several
/// times faster than longer ones.
using Index = std::uint32_t;

/// [N][C][P], or channels last, [N][P][C]; P pixels = H W.
struct Layout {
  int channels, pixels;
  bool channels_last;

  /// Where the value of a row, of the N P of a channel, lies.
  EASGD_HD Index index(Index row, Index channel) const {
    const auto c = Index(channels), p = Index(pixels);
    return channels_last ? row * c + channel : (row / p * c + channel) * p + row % p;
  }
  /// Of the value at i.
  EASGD_HD Index channel(std::size_t i) const {
    return channels_last ? Index(i) % Index(channels) : Index(i) / Index(pixels) % Index(channels);
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
    const Index wide = Index(padded), p = Index(pixels), c = Index(i) % wide, row = Index(i) / wide;
    const float value =
        c < Index(channels) ? float(from[(row / p * Index(channels) + c) * p + row % p]) : 0.0f;
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
    const Index c = Index(channels), p = Index(pixels), plane = Index(i) / p, pixel = Index(i) % p;
    const float value = float(from[(plane / c * p + pixel) * Index(padded) + plane % c]);
    to[i] = To((add ? float(to[i]) : 0.0f) + value);
  }
};

}  // namespace easgd::kernels
