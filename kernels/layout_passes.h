// How the values of a batch lie, and passes between the two ways.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bf16.h"
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

/// A slice [rows][channels][pixels] of a flat vector, and a copy of it as [rows][pixels][padded] of
/// floats or bf16.
struct PackedSlice {
  void* copy;
  std::size_t offset;  ///< of the slice in the flat vector
  std::size_t first;   ///< of the copy's values among those of all copies
  int channels, pixels, padded;
  bool bf16;

  /// Where in the flat vector value k of the copy comes from; beyond the slice's channels nowhere.
  struct Source {
    bool exists;
    std::size_t index;
  };
  EASGD_HD Source source(Index k) const {
    const Index c = k % Index(padded), row = k / Index(padded), p = Index(pixels);
    return {c < Index(channels), offset + (row / p * Index(channels) + c) * p + row % p};
  }
};

/// Value i of the copies of all slices, which are in the order of `first`.
struct PackedValue {
  const PackedSlice& slice;
  Index k;  ///< of the slice's copy
  PackedSlice::Source flat;
};
EASGD_HD inline PackedValue packed_value(const PackedSlice* slices, int count, std::size_t i) {
  int low = 0;
  for (int high = count; high - low > 1;) {
    const int middle = (low + high) / 2;
    (slices[middle].first <= i ? low : high) = middle;
  }
  const Index k = Index(i - slices[low].first);
  return {slices[low], k, slices[low].source(k)};
}

/// Copies = slices, and zeros where these have no such channel
struct PackSlices {
  const float* flat;
  const PackedSlice* slices;
  int count;

  EASGD_HD void operator()(std::size_t i) const {
    const auto [slice, k, from] = packed_value(slices, count, i);
    const float value = from.exists ? flat[from.index] : 0.0f;
    if (slice.bf16) {
      static_cast<Bf16*>(slice.copy)[k] = Bf16(value);
    } else {
      static_cast<float*>(slice.copy)[k] = value;
    }
  }
};

/// Slices = copies
struct UnpackSlices {
  float* flat;
  const PackedSlice* slices;
  int count;

  EASGD_HD void operator()(std::size_t i) const {
    const auto [slice, k, to] = packed_value(slices, count, i);
    if (!to.exists) return;
    flat[to.index] = slice.bf16 ? float(static_cast<const Bf16*>(slice.copy)[k])
                                : static_cast<const float*>(slice.copy)[k];
  }
};

}  // namespace easgd::kernels
