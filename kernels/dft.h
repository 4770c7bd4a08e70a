// Discrete Fourier transforms of short signals, many at a time: codelets of kernels/fft_conv2d.cpp.
//
// A real transform of length L packs as [X0, X(L/2), Re X1, Im X1, Re X2, ...].
#pragma once

#include <cstddef>
#include <span>

namespace easgd::kernels {

constexpr int kMaxDftLength = 32;  ///< longest transform

/// How signals lie side by side.
struct Runs {
  int lanes;  ///< signals: a multiple of Dfts::lanes
  /// Floats from an element to the one that the next call will want in its place: fetched early. 0:
  /// it is near.
  std::ptrdiff_t in_ahead, out_ahead;
};

/// Transforms signals: in[j][i] is element j of signal i.
using Codelet = void (*)(const float* const* in, float* const* out, Runs runs);

/// The transforms of one length.
struct Dft {
  int length;
  /// `length` complex values at in[2j], in[2j + 1] to their transform. Exchanging the two addresses
  /// of every pair, in and out, gives the inverse, times `length`.
  Codelet complex_forward;
  /// `length` reals to their packed transform.
  Codelet real_forward;
  /// The packed transform of `length` reals to `length` times the reals.
  Codelet real_inverse;
};

/// Those of one kind of processor.
struct Dfts {
  int lanes;  ///< floats in a SIMD register
  std::span<const Dft> lengths;

  /// The shortest transform of at least `length` points; null beyond kMaxDftLength.
  const Dft* find(int length) const;
};

/// Those that this processor has instructions for, the fastest first. All compute the same.
std::span<const Dfts> all_dfts();

}  // namespace easgd::kernels
