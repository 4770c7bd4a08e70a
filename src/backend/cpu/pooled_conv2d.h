// The first convolution of an image network together with what follows it:
//
//   y = relu(maxpool(conv(x)))      windows of 2 x 2 outputs of the convolution, ReLU optional
//
// Two facts make it cheap. Nobody wants the gradient with regard to the images; and of the
// convolution's outputs only the largest of each window carries a gradient, if ReLU lets it through
// at all: one in four to one in eight. So neither the convolution's output nor its gradient ever
// exists in memory.
//
// Shapes: N samples, C input and O output channels, K the side of the kernel.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/cpu/pooled_windows.h"
#include "base/view.h"
#include "kernels/tiles.h"

namespace easgd::cpu {

struct PooledConv2dShape {
  std::size_t batch, in_channels, height, width;
  std::size_t out_channels, kernel, pad;
  bool relu;

  /// Of an image in its frame of `pad` zeros.
  std::size_t framed_height() const { return height + 2 * pad; }
  std::size_t framed_width() const { return width + 2 * pad; }
  /// Of windows.
  std::size_t rows() const { return (framed_height() - kernel + 1) / 2; }
  std::size_t columns() const { return (framed_width() - kernel + 1) / 2; }
};

/// Thread: one call at a time, on any.
class PooledConv2d {
 public:
  static constexpr std::size_t kLargestKernel = 8;

  /// `factors`: of the forward pass; bf16 where can_narrow().
  explicit PooledConv2d(const PooledConv2dShape& shape,
                        kernels::Factors factors = kernels::Factors::f32,
                        const PooledWindows& variant = pooled_windows()[0]);

  static bool can_narrow(const PooledConv2dShape& shape);

  /// images [N][C][height][width], weight [O][C][K][K], bias [O], y [O][rows][columns][N].
  void forward(ConstView images, ConstView weight, ConstView bias, float* y);
  /// Gradients at the last forward; dy as y.
  void backward(const float* dy, View dweight, View dbias);
  std::size_t bytes() const;

 private:
  void take_samples(const float* images, std::size_t group);
  void take_weights(ConstView weight);
  void take_filters(ConstView weight);
  bool filters() const { return filters_.size() > 0; }
  /// Windows side by side, and one above the other, that are computed together.
  std::size_t side() const { return filters() ? FilteredWindows::kSide : 1; }
  void forward_window(std::size_t group, std::size_t window, ConstView weight, ConstView bias,
                      float* lines);
  void tile_window(std::size_t group, std::size_t window, ConstView bias, float* lines);
  void filter_windows(std::size_t group, std::size_t window, ConstView bias, float* lines);
  /// Which of the windows computed together is how far from the first.
  std::size_t neighbour(std::size_t i) const { return i / side() * shape_.columns() + i % side(); }
  PooledOutputs outputs(std::size_t group, std::size_t window, std::size_t o, float* lines);
  void backward_channels(std::size_t begin, std::size_t end, const float* dy);
  void collect(std::size_t channel, std::size_t first, const float* dy,
               std::array<PooledItems, 2>& items);
  /// The most items of a channel in eight samples.
  std::size_t capacity() const { return windows_ * 8; }
  std::size_t pairs() const { return (kernel_rows_ + 1) / 2; }
  std::int32_t* words(std::size_t group) {
    return reinterpret_cast<std::int32_t*>(grouped_.data() + group * lanes_ * image_size_);
  }
  const float* corner(std::size_t group, std::size_t window) const {
    return grouped_.data() + (group * image_size_ + std::size_t(corners_[window][0])) * lanes_;
  }
  float* image(std::size_t sample) { return framed_.data() + sample * image_size_; }

  PooledConv2dShape shape_;
  const kernels::Factors factors_;
  PooledWindows variant_;
  std::size_t lanes_, windows_, groups_;
  std::size_t image_size_;   ///< framed_height framed_width C, rounded up to whole vectors
  std::size_t kernel_rows_;  ///< C K
  /// Where in a framed image the pixels seen by a window's four outputs begin; the rest, which
  /// kNowhere is one of, make it a vector.
  using Corners = std::array<std::int32_t, 8>;
  std::vector<Corners> corners_;
  std::vector<std::int32_t> row_offsets_;  ///< [kernel_rows_] of (channel, row) in an image
  std::vector<std::int32_t> offsets_;      ///< [K][row_vectors_] of vectors there
  std::size_t row_lanes_, row_vectors_;    ///< vectors that hold the K C values of a row
  Buffer framed_;                          ///< [groups lanes][image_size_]
  Buffer grouped_;                         ///< [groups][image_size_][lanes samples], or words
  std::vector<std::int32_t> words_;        ///< of the weights, [O / 16][K][16][pairs()]
  Buffer filters_, patch_;                 ///< as FilteredWindows has them
  std::vector<std::uint8_t> argmax_;       ///< [groups][windows][O][lanes]; kNowhere: blocked
  Buffer weight_sums_;                     ///< [O][K][row_vectors_][row_lanes_], of dweight
  std::vector<float> bias_sums_;           ///< [O], dbias
  const std::array<Accumulate, PooledWindows::kMostVectors> accumulate_;  ///< of row_lanes_
  Buffer item_gradients_;
  std::vector<std::int32_t> item_corners_;
  Buffer lines_;  ///< windows of y, [][O][kLine]
};

}  // namespace easgd::cpu
