// A batch cut out of a training set that lies on the device: what Augmentation::apply is on the
// host.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// Which image of a set becomes a sample, and which window of it: its first line and column, which
/// may lie over the image's edges, and whether it is mirrored left to right.
struct Crop {
  std::uint32_t image = 0;
  std::int32_t top = 0, left = 0;
  std::int32_t mirrored = 0;
};

/// Element i of the images [N][C][height][width]: the normalised value of a pixel's level, of level
/// 0 over the edges.
struct CropPass {
  float* images;
  const std::uint8_t* set;  ///< [samples][C][set_height][set_width]
  const float* levels;      ///< [C][256]
  const Crop* crops;        ///< [N]
  int channels, set_height, set_width, height, width;

  EASGD_HD void operator()(std::size_t i) const {
    const std::size_t line_of_batch = i / std::size_t(width);
    const std::size_t plane = line_of_batch / std::size_t(height);
    const int x = int(i % std::size_t(width)), y = int(line_of_batch % std::size_t(height));
    const int c = int(plane % std::size_t(channels));
    const Crop crop = crops[plane / std::size_t(channels)];
    const int line = crop.top + y, column = crop.left + (crop.mirrored ? width - 1 - x : x);
    const bool inside = 0 <= line && line < set_height && 0 <= column && column < set_width;
    const std::size_t row = (std::size_t(crop.image) * std::size_t(channels) + std::size_t(c)) *
                                std::size_t(set_height) +
                            std::size_t(line);
    const int level = inside ? set[row * std::size_t(set_width) + std::size_t(column)] : 0;
    images[i] = levels[256 * c + level];
  }
};

}  // namespace easgd::kernels
