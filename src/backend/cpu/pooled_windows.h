// The inner loops of pooled_conv2d.h, compiled for different processors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace easgd::cpu {

/// What comes of one window of one group of samples, a sample a lane, and a few neighbouring output
/// channels.
struct PooledOutputs {
  static constexpr std::uint8_t kNowhere = 4;  ///< as an argmax; 0..3 are the window's outputs
  static constexpr std::size_t kLine = 16;     ///< samples in a line of y

  bool relu;
  float* lines;          ///< of y: [][kLine]
  std::uint8_t* argmax;  ///< [][lanes]
};

/// A window in float32.
struct PooledWindow {
  PooledOutputs outputs;
  const float* corner;  ///< of the pixels that it sees: [][lanes]
  std::size_t pixel;    ///< floats of a pixel of the group's images
  std::size_t line;     ///< and of a line of them
  /// [kernel_rows]: values to each (input channel, row of the kernel).
  const std::int32_t* row_offsets;
  std::size_t kernel_rows, kernel;
  const float *weight, *bias;
};

/// A window in bf16 with sums in float32, of up to 16 channels: by AMX. A value and the one behind
/// it are a word.
struct PooledTileWindow {
  static constexpr std::size_t kMostPairs = 16;

  PooledOutputs outputs;
  std::size_t channels;
  const std::int32_t* corner;  ///< [][16]
  std::size_t pixel, line;     ///< words
  std::size_t kernel, pairs;   ///< rows of the kernel, and pairs of values in each
  const std::int32_t* weight;  ///< [kernel][16][pairs]
  const float* bias;
};

/// Two by two windows of all output channels in float32, by minimal filtering: with a kernel of 5x5
/// their 4x4 outputs see a patch of 8x8 pixels, and take 64 products an input channel, not 400.
struct FilteredWindows {
  static constexpr std::size_t kSide = 2, kKernel = 5, kPatch = 8;

  std::array<PooledOutputs, kSide * kSide> outputs;
  std::size_t in_channels, out_channels;
  const float* patch;   ///< transformed, [kPatch columns][in_channels][kPatch rows][lanes]
  const float* weight;  ///< transformed, [out_channels][kPatch][in_channels][kPatch]
  const float* bias;
};

/// Outputs of the convolution that carry a gradient.
struct PooledItems {
  float* gradients;
  std::int32_t* corners;  ///< of the pixels each saw, from the first of its images
  std::size_t count;
};

/// Adds gradient times the `lanes` values at corner + offsets[v] to sums[v] of all items.
using Accumulate = void (*)(const PooledItems& items, const float* images,
                            const std::int32_t* offsets, float* sums);

struct PooledWindows {
  static constexpr std::size_t kMostChannels = 6, kMostVectors = 15;

  std::size_t lanes;     ///< samples in a group: 8 or 16
  std::size_t channels;  ///< at once, at most
  /// Of one channel, of two, and so on.
  std::array<void (*)(const PooledWindow&), kMostChannels> forward;
  /// Gives the patch of FilteredWindows, which does not overlap the images; corner, pixel and line
  /// as in a PooledWindow. Nothing need be aligned beyond a float.
  void (*transform_patch)(const float* corner, std::size_t pixel, std::size_t line,
                          std::size_t in_channels, float* patch);
  void (*filter)(const FilteredWindows&);
  std::array<Accumulate, kMostVectors> accumulate;  ///< of one vector, of two, and so on
  /// Where kernels::has_tiles(), with PooledConv2d's tiles; null of groups of 8.
  void (*forward_tiles)(const PooledTileWindow&) = nullptr;
  /// words[i] = the pair of value i and value i + 1, which may lie where the values do; 0 behind
  /// the last of them. [][16]
  void (*pair_values)(const float* values, std::size_t count, std::int32_t* words) = nullptr;
};

PooledWindows pooled_windows_of_8_lanes();   ///< AVX2
PooledWindows pooled_windows_of_16_lanes();  ///< AVX-512

/// Those that this processor has instructions for, the fastest first. All give the same bits.
std::span<const PooledWindows> pooled_windows();

}  // namespace easgd::cpu
