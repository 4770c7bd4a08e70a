// What happens to an image between the data set and the network: pad, crop, flip, normalise.
#pragma once

#include <span>
#include <string>
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

/// Shape of images of shape `image` after a crop to `crop` pixels (0: none).
/// Throws: KeyError if the crop is larger than the images, or if they have different sizes and
/// there is no crop.
Shape cropped(Shape image, int crop);

struct AugmentationOptions {
  int crop = 0;  ///< side of the square that is cut out; 0: the whole image
  int pad = 0;   ///< black pixels on each side that a random window may reach into
  bool flip = false;
  Normalisation normalisation = {};
  std::string set = "the data set";  ///< its name, for messages
};

/// Cuts windows of one size out of the images of a set.
///
/// Thread: immutable; the set has to outlive it.
/// Throws: KeyError from the constructor: see cropped(), or the normalisation has other channels.
class Augmentation {
 public:
  Augmentation(const Dataset& set, const AugmentationOptions& options);

  Shape output() const { return output_; }

  /// Throws: what decoding it throws; DataError if it is smaller than the crop.
  Image image(std::size_t index, Scratch& scratch) const;

  /// Rounded down if the margin is odd.
  Window center(Shape image) const;
  /// The window of sample `index` of a step: every position equally likely, up to `pad` pixels over
  /// the edges; mirrored every other time if `flip` is set.
  Window random(Shape image, const kernels::Random& random, std::uint64_t step,
                std::uint32_t index) const;

  /// [C][256]: the normalised value of each pixel level.
  std::span<const float> levels() const { return levels_; }

  /// to: [C][crop][crop], normalised.
  void apply(const Image& image, Window window, View to) const;

 private:
  const Dataset& set_;
  std::string name_;
  Shape output_;
  int pad_;
  bool flip_;
  std::vector<float> levels_;
};

}  // namespace easgd
