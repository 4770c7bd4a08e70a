// What part of an image is wanted, and at which size.
#pragma once

#include <functional>

#include "base/shape.h"

namespace easgd {

/// A rectangle of pixels.
struct Region {
  int top = 0, left = 0, height = 0, width = 0;

  bool operator==(const Region&) const = default;
};

/// `region` of an image, resized to height x width; of the result, `part`.
struct Cut {
  Region region;
  int height = 0, width = 0;
  Region part;

  bool resizes() const { return region.height != height || region.width != width; }
  bool operator==(const Cut&) const = default;
};

/// The cut that is wanted of an image of that shape.
/// Throws: DataError if there is none: what is wrong with the image, without its name.
using ChooseCut = std::function<Cut(Shape image)>;

/// All of an image as it is.
inline Cut whole_of(Shape image) {
  const Region all{0, 0, image.height, image.width};
  return {all, image.height, image.width, all};
}

}  // namespace easgd
