// Products of complex matrices, which the spectra of a convolution are (kernels/fft_conv2d.h).
//
// With Gauss three real products make a complex one: for a = p + iq and b = u + iv
//   conj(a) b = (p - q) u + q (u + v) + i [(p - q) u - p (u - v)]
//   a b       = (p + q) u - q (u + v) + i [(p + q) u - p (u - v)]
#pragma once

#include <cstddef>
#include <span>

#include "kernels/tiles.h"

namespace easgd::kernels {

/// Real and imaginary parts, [rows][stride] each. `im` is null where all numbers are real.
struct ComplexMatrix {
  float *re, *im;
  int rows, columns;
  std::ptrdiff_t stride;
  /// Of a part, from its first number to its last.
  std::size_t size() const { return std::size_t((rows - 1) * stride + columns); }
};

/// A factor of a product, as it is or in another form of it.
struct ComplexFactor {
  ComplexMatrix matrix;
  bool transposed = false, conjugate = false;
  int rows() const { return transposed ? matrix.columns : matrix.rows; }
  int columns() const { return transposed ? matrix.rows : matrix.columns; }
};

/// out = scale a b. b is not conjugate, out is neither a nor b, and all three are real or none is.
/// No matrix is empty.
struct ComplexProduct {
  ComplexFactor a, b;
  ComplexMatrix out;
  float scale;
  /// What the thread will look at after this, or matrices that are not there. Our own kernel in
  /// float32 asks for it while it computes; to the others it means nothing.
  std::span<const ComplexMatrix> next = {};
};

/// A way to compute it.
struct ComplexMultiplier {
  /// `scratch`: as many floats as scratch_size() says, at the start of a cache line.
  void (*multiply)(const ComplexProduct& product, float* scratch);
  std::size_t (*scratch_size)(const ComplexProduct& product);
};

/// In float32: those that this processor has instructions for, the fastest first.
std::span<const ComplexMultiplier> complex_multipliers();
/// bf16 where has_tiles(): factors are rounded to it, sums are in float32.
const ComplexMultiplier& complex_multiplier(Factors factors);

}  // namespace easgd::kernels
