// Products of complex matrices whose factors are rounded to bf16, with sums in float32: AMX.
#pragma once

#include <cstddef>

namespace easgd::kernels {

/// Real and imaginary parts, [rows][stride] each. `im` is null where all numbers are real.
struct ComplexMatrix {
  float *re, *im;
  int rows, columns;
  std::ptrdiff_t stride;
};

/// A factor of a product, as it is or in another form of it.
struct ComplexFactor {
  ComplexMatrix matrix;
  bool transposed = false, conjugate = false;
  int rows() const { return transposed ? matrix.columns : matrix.rows; }
  int columns() const { return transposed ? matrix.rows : matrix.columns; }
};

/// out = scale a b. `scratch`: as many floats as tile_scratch() says. b is not conjugate. Only
/// where has_tiles().
void multiply_tiles(float scale, const ComplexFactor& a, const ComplexFactor& b,
                    const ComplexMatrix& out, float* scratch);
/// Of a product of m x depth with depth x n.
std::size_t tile_scratch(int m, int depth, int n);

}  // namespace easgd::kernels
