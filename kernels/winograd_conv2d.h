#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/view.h"
#include "kernels/conv2d_shape.h"

namespace easgd::kernels {

/// Where the values of an activation lie: channel c of pixel p of sample n is at
/// n * sample + c / lanes * block + p * pixel + c % lanes.
struct ChannelBlocks {
  std::ptrdiff_t sample, block, pixel;
};

/// The transformed weights of a convolution, for all pieces of a batch. The work on them is in
/// tasks, which any threads may do at once.
class WinogradWeights {
 public:
  virtual ~WinogradWeights();
  virtual std::size_t tasks() const = 0;
  /// Before a forward(). weight [K][C][3][3].
  virtual void transform(const float* weight, std::size_t task) = 0;
  std::size_t bytes() const { return buffer_.size() * sizeof(float); }

 protected:
  explicit WinogradWeights(std::size_t floats);
  float* floats() const { return floats_; }

 private:
  Buffer buffer_;
  float* const floats_;
};

/// What makes the gradient with regard to a convolution's output y of the one behind a batch
/// normalisation of it, dz, so that it is never written: with d = y - mean,
///   dy = scale dz + slope d + shift      if it has a ReLU, dz is 0 where d scale + bias <= 0
struct NormalisationBehind {
  const float* y;
  const float *mean, *scale, *bias, *slope, *shift;  ///< [K]
  bool relu;
};

/// Where a backward pass leaves its gradients, overwriting what is there.
struct WinogradGradients {
  float* dx;       ///< may be null
  bool adds_dx;    ///< to what is there
  float* dweight;  ///< [K][C][3][3]
  float* dbias;    ///< [K]; may be null
};

/// 2-D convolution (cross-correlation) of one piece of a batch with kernels of 3x3, by minimal
/// filtering: in place of 144 products of channels a tile of 4x4 outputs takes 36, or 81 with a
/// stride of 2. Thread: one call at a time, on any. Source, of the former: [Lavin and Gray 2016]
class WinogradConv2d {
 public:
  virtual ~WinogradConv2d() = default;

  /// Kernels of 3x3, channels in whole blocks of 16, and a stride of 1, or of 2 with zeros around.
  static bool fits(const Conv2dShape& shape);
  /// Products of numbers that a forward pass of one sample takes.
  static double products(const Conv2dShape& shape);

  /// y = conv(x, weight) + bias [K], then max(y, 0) if it has a ReLU; a NaN stays one. bias may be
  /// null.
  virtual void forward(const float* x, const float* bias, bool relu, float* y) const = 0;
  /// Gradients of the last forward(), whose x and y these are; y is null if it has no ReLU. With a
  /// normalisation behind it, which takes y without a ReLU, `dy` is that one's dz.
  virtual void backward(const float* x, const float* y, const float* dy,
                        const WinogradGradients& gradients,
                        const NormalisationBehind* behind = nullptr) const = 0;
};

/// The convolution with so many channels side by side.
struct WinogradKernels {
  int lanes;
  /// The shape's batch does not matter. It must fit. `for_gradients`: of inputs too.
  std::unique_ptr<WinogradWeights> (*make_weights)(const Conv2dShape& shape, bool for_gradients);
  /// With weights of the same lanes.
  std::unique_ptr<WinogradConv2d> (*make)(const Conv2dShape& shape, const ChannelBlocks& x,
                                          const ChannelBlocks& y, const WinogradWeights& weights);
};

/// Those that this processor has instructions for, the fastest first.
std::span<const WinogradKernels> winograd_kernels();

}  // namespace easgd::kernels
