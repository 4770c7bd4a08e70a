#pragma once

#include <cstddef>
#include <memory>

#include "kernels/complex_product.h"
#include "kernels/conv2d_shape.h"
#include "kernels/dft.h"

namespace easgd::kernels {

/// What the pieces of a batch share: the spectra of the weights, [K][C][kh][kw]. Of those of their
/// gradient each piece has its own.
///
/// Before a forward pass transform() of all tasks, and after the backward pass of all pieces
/// gradient() of all tasks, which adds their parts in the order in which the pieces were made.
/// Tasks are for any threads at once; results do not depend on who has done what.
class FftWeights {
 public:
  /// `shape`: a piece's; how large that is does not matter. `multiplier`: of the spectra.
  /// Throws: std::invalid_argument for a shape without output or with a stride, or if a side plus
  /// `pad`, an output side or a kernel side exceeds 32.
  explicit FftWeights(const Conv2dShape& shape,
                      const ComplexMultiplier& multiplier = complex_multipliers()[0],
                      const Dfts& dfts = all_dfts()[0]);
  ~FftWeights();

  std::size_t tasks() const;
  void transform(const float* weight, std::size_t task);
  /// Overwrites its part of dweight. There is a piece with backward passes.
  void gradient(float* dweight, std::size_t task);
  /// But for those of the gradient, which are the pieces'.
  std::size_t bytes() const;

 private:
  friend class FftConv2d;
  class Plan;
  std::unique_ptr<Plan> plan_;
};

/// Stride-1 2-D convolution (cross-correlation, as in every deep-learning library) of a piece of a
/// batch, through the Fourier transform. Tensors are dense, the samples innermost:
///   x [C][H][W][n], y [K][OH][OW][n], bias [K].
/// Thread: any, one at a time; pieces do not wait for each other.
class FftConv2d {
 public:
  /// `shape`: the weights', with the piece's batch. `weights` outlive it, and none of their pieces
  /// computes meanwhile. `for_gradients`: there are backward passes, and the weights keep spectra
  /// of the piece's part of their gradient, as large as their own.
  FftConv2d(const Conv2dShape& shape, FftWeights& weights, bool for_gradients);
  ~FftConv2d();

  /// Whether forward plus backward of a batch is expected to be faster this way than directly. A
  /// function of the shape alone, so that the same shape always computes the same bits.
  static bool worth_it(const Conv2dShape& shape);

  /// y = conv(x, weight) + bias, which may be null.
  void forward(const float* x, const float* bias, float* y);
  /// At most once after forward(). dx and dbias may be null.
  void backward(const float* dy, float* dx, float* dbias);
  /// Of its spectra, with those of its part of the weights' gradient.
  std::size_t bytes() const;

 private:
  class Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace easgd::kernels
