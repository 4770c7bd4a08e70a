// The inner loops of pooled_conv2d.h, compiled for different processors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace easgd::cpu {

/// One window of one group of samples, a sample a lane, and a few neighbouring output channels.
struct PooledWindow {
  static constexpr std::uint8_t kNowhere = 4;  ///< as an argmax; 0..3 are the window's outputs
  static constexpr std::size_t kLine = 16;     ///< samples in a line of y

  const float* corner;  ///< of the pixels that the window sees: [][lanes]
  std::size_t pixel;    ///< floats of a pixel of the group's images
  std::size_t line;     ///< and of a line of them
  /// [kernel_rows]: values to each (input channel, row of the kernel).
  const std::int32_t* row_offsets;
  std::size_t kernel_rows, kernel;
  const float *weight, *bias;
  bool relu;
  float* lines;          ///< of y: [][kLine]
  std::uint8_t* argmax;  ///< [][lanes]
};

/// One output of the convolution that carries a gradient.
struct PooledItem {
  float gradient;
  std::int32_t corner;  ///< of the pixels it saw, in an image
};

/// Adds gradient times the `lanes` values at corner + offsets[v] to sums[v] of all items. Returns
/// the sum of their gradients.
using Accumulate = float (*)(const PooledItem* items, std::size_t count, const float* image,
                             const std::int32_t* offsets, float* sums);

struct PooledWindows {
  static constexpr std::size_t kMostChannels = 6, kMostVectors = 15;

  std::size_t lanes;     ///< samples in a group: 8 or 16
  std::size_t channels;  ///< at once, at most
  /// Of one channel, of two, and so on.
  std::array<void (*)(const PooledWindow&), kMostChannels> forward;
  std::array<Accumulate, kMostVectors> accumulate;  ///< of one vector, of two, and so on
};

PooledWindows pooled_windows_of_8_lanes();   ///< AVX2
PooledWindows pooled_windows_of_16_lanes();  ///< AVX-512

/// Those that this processor has instructions for, the fastest first. All give the same bits.
std::span<const PooledWindows> pooled_windows();

}  // namespace easgd::cpu
