// Pixels of a picture, as a cut of it wants them.
#pragma once

#include <cstdint>
#include <span>

#include "data/dataset.h"

namespace easgd {

/// Of a picture as it is shown, turned as its EXIF says: the part that is chosen once its size is
/// known, in red, green and blue. Only the lines that this needs are decoded, and at a half, a
/// quarter or an eighth of their size if the region is then still twice as high and wide as is
/// wanted of it.
/// They lie in `scratch`, until somebody else gets that.
/// Throws: DataError, without a name: what is wrong with the picture; what `choose` throws.
Image decode(std::span<const std::uint8_t> picture, const ChooseCut& choose, Scratch& scratch);

}  // namespace easgd
