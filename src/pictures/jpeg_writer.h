#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"

namespace easgd {

/// A picture of red, green and blue as a baseline JPEG file, with colours at half their size.
/// `quality`: 1..100, as libjpeg counts.
/// Throws: std::bad_alloc.
std::vector<std::uint8_t> jpeg_of(const Image& image, int quality);

}  // namespace easgd
