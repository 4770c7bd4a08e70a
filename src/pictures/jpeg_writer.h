// Pictures written as JPEG files, by libjpeg-turbo.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace easgd {

constexpr int kLongestJpegSide = 65500;  ///< as libjpeg has it

/// A picture of red, green and blue as a baseline JPEG file, with colours at half their size.
/// `quality`: 1..100, as libjpeg counts.
/// Throws: DataError if a side is longer than that; std::bad_alloc.
std::vector<std::uint8_t> jpeg_of(const Image& image, int quality);

}  // namespace easgd
