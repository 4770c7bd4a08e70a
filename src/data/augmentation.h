// What happens to an image between the data set and the network: pad, crop, flip, normalise.
#pragma once

#include <span>
#include <vector>

#include "base/view.h"
#include "data/dataset.h"
#include "data/normalisation.h"
#include "kernels/philox.h"

namespace easgd {

/// The part of an image that is used, and whether it is mirrored left to right. It may reach over
/// the image's edge, where pixels are black.
struct Window {
  int top = 0;
  int left = 0;
  bool mirrored = false;
};

/// Side lengths after a crop to `crop` pixels (0: none).
/// Throws: ConfigError where the crop is larger than the image.
Shape cropped(Shape image, int crop);

/// Cuts square windows of `crop` pixels (0: the whole image) out of images of one shape.
///
/// Thread: immutable.
/// Throws: ConfigError where the crop is larger than the images or the normalisation has other
/// channels (constructor).
class Augmentation {
 public:
  Augmentation(Shape image, int crop, const Normalisation& normalisation, int pad = 0);

  Shape output() const { return output_; }

  /// Rounded down where the margin is odd.
  Window center() const;
  /// The window of sample `index` of a step: every place equally likely, up to `pad` pixels over
  /// the edges; mirrored every other time where `flip` is set.
  Window random(const kernels::Random& random, std::uint64_t step, std::uint32_t index,
                bool flip) const;

  /// [C][256]: the normalised value of each pixel level.
  std::span<const float> levels() const { return levels_; }

  /// image: [C][H][W], 0..255. to: [C][crop][crop], normalised.
  void apply(std::span<const std::uint8_t> image, Window window, View to) const;

 private:
  Shape image_;
  Shape output_;
  int pad_;
  std::vector<float> levels_;
};

}  // namespace easgd
