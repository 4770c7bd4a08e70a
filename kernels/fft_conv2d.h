#pragma once

#include <cstddef>
#include <memory>

#include "kernels/complex_product.h"
#include "kernels/conv2d_shape.h"
#include "kernels/dft.h"

namespace easgd::kernels {

/// Stride-1 2-D convolution (cross-correlation, as in every deep-learning library) of a batch in
/// pieces, through the Fourier transform. Tensors are dense, the samples of a piece innermost:
///   x [C][H][W][n], y [K][OH][OW][n], weight [K][C][kh][kw], bias [K].
///
/// Forward: transform_weights, take_x of every piece; multiply_forward; give_y of every piece.
/// Backward, at most once after it: take_dy of every piece; multiply_backward; give_dx of every
/// piece and weight_gradient. Between two semicolons the tasks, or the pieces, are for any threads
/// at once; results do not depend on who has done what.
class FftConv2d {
 public:
  /// Allocates every workspace but for what each thread keeps. `shape`: that of the largest piece.
  /// `multiplier`: of the spectra.
  /// Throws: std::invalid_argument for a shape without output, or if a side plus `pad`, an output
  /// side or a kernel side exceeds 32.
  FftConv2d(const Conv2dShape& shape, int pieces,
            const ComplexMultiplier& multiplier = complex_multipliers()[0],
            const Dfts& dfts = all_dfts()[0]);
  ~FftConv2d();

  /// Whether forward plus backward of a batch is expected to be faster this way than directly. A
  /// function of the shape alone, so that the same shape always computes the same bits.
  static bool worth_it(const Conv2dShape& shape);

  /// Of all workspaces.
  std::size_t bytes() const;

  std::size_t weight_tasks() const;
  void transform_weights(const float* weight, std::size_t task);
  /// Overwrites its part of dweight.
  void weight_gradient(float* dweight, std::size_t task);

  std::size_t products() const;
  /// Of so many pieces, the first. `next`: the product that the thread will probably compute after
  /// this, or none.
  void multiply_forward(int pieces, std::size_t product, std::size_t next);
  /// Of all pieces. `dx_wanted`: give_dx follows.
  void multiply_backward(bool dx_wanted, std::size_t product, std::size_t next);

  /// A piece by its number, and how many samples it has: the same in all its calls.
  struct Piece {
    int number, samples;
  };
  void take_x(Piece piece, const float* x);
  /// y = conv(x, weight) + bias, which may be null.
  void give_y(Piece piece, const float* bias, float* y);
  /// dbias is that of the piece. It may be null.
  void take_dy(Piece piece, const float* dy, float* dbias);
  void give_dx(Piece piece, float* dx);

 private:
  class Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace easgd::kernels
