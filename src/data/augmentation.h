// What happens to an image between set and network: resize, pad, crop, flip, normalise.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/view.h"
#include "data/dataset.h"
#include "data/normalisation.h"
#include "kernels/philox.h"

namespace easgd {

/// How training images are cut at random.
enum class CropKind {
  window,   ///< a square of the image, which may be resized before: any one as likely as any other
  resized,  ///< a part of any size and of about the image's form, resized: see Augmentation
};

/// The part of an image that is used, and whether it is mirrored left to right. It may reach over
/// the image's edge, where pixels are black.
struct Window {
  int top = 0;
  int left = 0;
  bool mirrored = false;
};

/// A region of an image, resized to height x width, and the window of that.
struct Framing {
  Region region;
  int height = 0, width = 0;
  Window window;
};

/// How images are laid out, in training and in tests.
struct CropOptions {
  int side = 0;    ///< of the square that is cut out; 0: the whole image
  int resize = 0;  ///< what the shorter side of an image is resized to before; 0: it is not
  int pad = 0;     ///< black pixels on each side that a random window may reach into
  bool flip = false;
  CropKind kind = CropKind::window;
  double least_area = 0.08;  ///< of an image that a resized part has
};

/// Shape of images of shape `image` after a crop.
/// Throws: KeyError if the crop is larger than the images, if they have different sizes and there
/// is no crop, or if the border is as wide as the crop.
Shape cropped(Shape image, const CropOptions& crop);

struct AugmentationOptions {
  CropOptions crop = {};
  Normalisation normalisation = {};
};

/// Cuts windows of one size out of the images of a set.
///
/// Thread: immutable; the set has to outlive it.
/// Throws: KeyError from the constructor: see cropped(), or the normalisation has other channels.
class Augmentation {
 public:
  using ChooseFraming = std::function<Framing(Shape image)>;

  Augmentation(const Dataset& set, const AugmentationOptions& options);

  Shape output() const { return output_; }

  /// The middle of an image, rounded down if the margin is odd. Where training resizes parts and
  /// `resize` is 0, the shorter side is resized to 8/7 of the crop before, as is usual.
  Framing center(Shape image) const;
  /// That of sample `index` of a step, mirrored every other time if `flip` is set. A window has any
  /// position, up to `pad` pixels over the edges. A resized part has least_area to all of the
  /// image's area and sides as 3:4 to 4:3, the logarithm of that being uniform; if ten such do not
  /// fit into the image, the largest in its middle is taken.
  Framing random(Shape image, const kernels::Random& random, std::uint64_t step,
                 std::uint32_t index) const;

  /// [C][256]: the normalised value of each pixel level.
  std::span<const float> levels() const { return levels_; }

  /// to: [C][side][side], normalised: what is chosen of image `index`.
  /// Throws: what decoding it throws; DataError if it is smaller than the crop.
  void apply(std::size_t index, const ChooseFraming& choose, Scratch& scratch, View to) const;

 private:
  Framing framed(Shape image, int shorter) const;
  Framing part(Shape image, const kernels::Random& random, std::uint64_t step,
               std::uint32_t index) const;
  void check(const Framing& framing) const;
  void apply(const Image& image, Window window, View to) const;

  const Dataset& set_;
  Shape output_;
  CropOptions crop_;
  std::vector<float> levels_;
};

}  // namespace easgd
