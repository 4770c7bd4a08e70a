// The inner loop of pooled_conv2d.h, compiled for different processors.
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
  std::size_t line;     ///< floats of a line of the group's images
  /// [kernel_rows]: pixels to each (input channel, row of the kernel).
  const std::int32_t* row_offsets;
  std::size_t kernel_rows, kernel;
  const float *weight, *bias;
  bool relu;
  float* lines;          ///< of y: [][kLine]
  std::uint8_t* argmax;  ///< [][lanes]
};

struct PooledWindows {
  static constexpr std::size_t kMostChannels = 6;

  std::size_t lanes;     ///< samples in a group: 8 or 16
  std::size_t channels;  ///< at once, at most
  /// Of one channel, of two, and so on.
  std::array<void (*)(const PooledWindow&), kMostChannels> forward;
};

PooledWindows pooled_windows_of_8_lanes();   ///< AVX2
PooledWindows pooled_windows_of_16_lanes();  ///< AVX-512

/// Those that this processor has instructions for, the fastest first. All give the same bits.
std::span<const PooledWindows> pooled_windows();

}  // namespace easgd::cpu
