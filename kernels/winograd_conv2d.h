#pragma once

#include <cstddef>
#include <memory>

#include "kernels/conv2d_shape.h"

namespace easgd::kernels {

/// Channels that lie side by side, and are computed side by side.
#ifdef __AVX512F__
constexpr int kWinogradLanes = 16;
#else
constexpr int kWinogradLanes = 8;
#endif

/// Where the values of an activation lie: channel c of pixel p of sample n is at
/// n * sample + c / kWinogradLanes * block + p * pixel + c % kWinogradLanes.
struct ChannelBlocks {
  std::ptrdiff_t sample, block, pixel;
};

/// Stride-1 2-D convolution (cross-correlation) of one piece of a batch with kernels of 3x3, by
/// minimal filtering: tiles of 4x4 outputs take 36 products of channels in place of 144.
/// Source: [Lavin and Gray 2016] weight [K][C][3][3], bias [K].
/// Thread: one call at a time, on any.
class WinogradConv2d {
 public:
  /// The transformed weights, for all pieces of a batch. The work on them is in tasks, which any
  /// threads may do at once.
  class Weights {
   public:
    /// The shape's batch does not matter. Throws: std::invalid_argument unless it `fits`.
    explicit Weights(const Conv2dShape& shape);
    ~Weights();

    std::size_t tasks() const;
    /// Before a forward().
    void transform(const float* weight, std::size_t task);
    std::size_t bytes() const;

   private:
    friend WinogradConv2d;
    class Plan;
    std::unique_ptr<Plan> plan_;
  };

  WinogradConv2d(const Conv2dShape& shape, const ChannelBlocks& x, const ChannelBlocks& y,
                 const Weights& weights);
  ~WinogradConv2d();
  WinogradConv2d(WinogradConv2d&&) noexcept;
  WinogradConv2d& operator=(WinogradConv2d&&) noexcept;

  /// Kernels of 3x3, and channels in whole blocks of 16.
  static bool fits(const Conv2dShape& shape);
  /// Products of numbers that a forward pass of one sample takes.
  static double products(const Conv2dShape& shape);

  /// y = conv(x, weight) + bias. bias may be null.
  void forward(const float* x, const float* bias, float* y);
  /// Gradients of the last forward(), whose x this is, overwriting their targets. dx and dbias may
  /// be null.
  void backward(const float* x, const float* dy, float* dx, float* dweight, float* dbias);

 private:
  class Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace easgd::kernels
