#include "data/augmentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "base/error.h"

namespace easgd {
namespace {

std::string sides(Shape image) {
  return fmt::format("{}x{}", image.height, image.width);
}

bool fits(Shape output, Shape image) {
  return output.height <= image.height && output.width <= image.width;
}

}  // namespace

Shape cropped(Shape image, int crop) {
  const bool one_size = image.height > 0;
  if (!one_size && crop == 0)
    throw KeyError("data.crop",
                   "the images have different sizes; expected the side of a square to cut out of "
                   "each, as in data.crop = 224");
  if (crop == 0) return image;
  const Shape output{image.channels, crop, crop};
  if (one_size && !fits(output, image))
    throw KeyError("data.crop",
                   fmt::format("{} is larger than the images ({})", crop, sides(image)));
  return output;
}

Augmentation::Augmentation(const Dataset& set, const AugmentationOptions& options)
    : set_(set),
      name_(options.set),
      output_(cropped(set.shape(), options.crop)),
      pad_(options.pad),
      flip_(options.flip) {
  const Normalisation& normalisation = options.normalisation;
  const std::size_t channels = normalisation.mean.size();
  const auto wanted = std::size_t(output_.channels);
  if (channels != normalisation.deviation.size() || (channels && channels != wanted))
    throw KeyError("data.mean", fmt::format("{} means and {} deviations for images of {} channels",
                                            channels, normalisation.deviation.size(), wanted));
  for (std::size_t c = 0; c < wanted; ++c) {
    const double mean = channels ? normalisation.mean[c] : 0.0;
    const double deviation = channels ? normalisation.deviation[c] : 1.0;
    if (!(deviation > 0))
      throw KeyError("data.deviation", fmt::format("that of channel {} is not positive", c));
    for (int pixel = 0; pixel < 256; ++pixel)
      levels_.push_back(static_cast<float>((pixel / 255.0 - mean) / deviation));
  }
}

Image Augmentation::image(std::size_t index, Scratch& scratch) const {
  const Image image = set_.image(index, scratch);
  assert(image.shape.channels == output_.channels && image.pixels.size() == image.shape.size());
  if (!fits(output_, image.shape))
    throw DataError(
        fmt::format("{}: {} is {}, smaller than data.crop = {}; take it out of the set, or choose "
                    "a smaller crop",
                    name_, set_.image_name(index), sides(image.shape), output_.height));
  return image;
}

Window Augmentation::center(Shape image) const {
  return {(image.height - output_.height) / 2, (image.width - output_.width) / 2, false};
}

Window Augmentation::random(Shape image, const kernels::Random& random, std::uint64_t step,
                            std::uint32_t index) const {
  const kernels::Random4 four = random.at(step, index);
  const int rows = image.height - output_.height + 2 * pad_ + 1;
  const int columns = image.width - output_.width + 2 * pad_ + 1;
  return {static_cast<int>(four.below(0, rows)) - pad_,
          static_cast<int>(four.below(1, columns)) - pad_, flip_ && (four.value[2] & 1)};
}

void Augmentation::apply(const Image& image, Window window, View to) const {
  assert(to.size() == output_.size());
  const auto [channels, height, columns] = image.shape;
  float* out = to.data();
  const int width = output_.width;
  // Columns [first, last) of the window lie on the image.
  const int first = std::clamp(-window.left, 0, width);
  const int last = std::clamp(columns - window.left, first, width);
  for (int c = 0; c < channels; ++c) {
    const float* level = levels_.data() + 256 * c;
    for (int y = 0; y < output_.height; ++y, out += width) {
      const int line = window.top + y;
      if (first > 0 || last < width || line < 0 || line >= height) {
        std::fill_n(out, width, level[0]);
      }
      if (line < 0 || line >= height) continue;
      const std::uint8_t* row = image.pixels.data() + (std::size_t(c) * height + line) * columns;
      if (window.mirrored)
        for (int x = first; x < last; ++x) out[width - 1 - x] = level[row[window.left + x]];
      else
        for (int x = first; x < last; ++x) out[x] = level[row[window.left + x]];
    }
  }
}

}  // namespace easgd
