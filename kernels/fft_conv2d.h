#pragma once

#include <cstddef>
#include <memory>

#include "kernels/conv2d_shape.h"
#include "kernels/dft.h"

namespace easgd::kernels {

/// Stride-1 2-D convolution (cross-correlation, as in every deep-learning library) of one piece of
/// a batch, through the Fourier transform. Tensors are dense, the samples innermost:
///   x [C][H][W][N], y [K][OH][OW][N], weight [K][C][kh][kw], bias [K].
/// Thread: one call at a time, on any.
class FftConv2d {
 public:
  /// What all pieces of a batch share: the spectra of the weights, and where each leaves those of
  /// their gradient. The work on them is in tasks, which any threads may do at once.
  class Weights {
   public:
    /// The shape's batch does not matter. `dfts`: what the pieces are transformed by, too.
    /// Throws: std::invalid_argument for a shape without output, or if a side plus `pad`, an output
    /// side or a kernel side exceeds 32.
    explicit Weights(const Conv2dShape& shape, const Dfts& dfts = all_dfts()[0]);
    ~Weights();

    std::size_t tasks() const;
    /// Before a forward().
    void transform(const float* weight, std::size_t task);
    /// Once every piece has gone backward: the sum of what they found, in their order.
    void gradient(float* dweight, std::size_t task);
    std::size_t bytes() const;

   private:
    friend FftConv2d;
    class Plan;
    std::unique_ptr<Plan> plan_;
  };

  /// Allocates every workspace but for what each thread keeps. The shape: that of the weights, with
  /// the piece's batch.
  FftConv2d(const Conv2dShape& shape, Weights& weights);
  ~FftConv2d();
  FftConv2d(FftConv2d&&) noexcept;
  FftConv2d& operator=(FftConv2d&&) noexcept;

  /// Whether forward plus backward of one of so many pieces is expected to be faster this way than
  /// directly. A function of the shape alone, so that the same shape always computes the same bits.
  static bool worth_it(const Conv2dShape& shape, int pieces);

  /// Of all workspaces.
  std::size_t bytes() const;

  /// y = conv(x, weight) + bias. Keeps the spectra of x for one backward(). bias may be null.
  void forward(const float* x, const float* bias, float* y);

  /// Gradients of the last forward(), overwriting their targets; that of the weights goes to
  /// Weights. dx and dbias may be null. Consumes the kept spectra: call it at most once for each
  /// forward().
  void backward(const float* dy, float* dx, float* dbias);

 private:
  class Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace easgd::kernels
