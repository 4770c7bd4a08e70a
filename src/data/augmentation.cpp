#include "data/augmentation.h"

#include <algorithm>
#include <cassert>

#include "base/error.h"

namespace easgd {
namespace {

std::string sides(int height, int width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

}  // namespace

Shape cropped(Shape image, int crop) {
  if (crop > image.height || crop > image.width)
    throw KeyError("data.crop", std::to_string(crop) + " is larger than the images (" +
                                    sides(image.height, image.width) + ")");
  return crop == 0 ? image : Shape{image.channels, crop, crop};
}

Augmentation::Augmentation(Shape image, int crop, const Normalisation& normalisation, int pad)
    : image_(image), output_(cropped(image, crop)), pad_(pad) {
  const std::size_t channels = normalisation.mean.size();
  const auto wanted = std::size_t(image.channels);
  if (channels != normalisation.deviation.size() || (channels && channels != wanted))
    throw KeyError("data.mean", std::to_string(channels) + " means and " +
                                    std::to_string(normalisation.deviation.size()) +
                                    " deviations for images of " + std::to_string(image.channels) +
                                    " channels");
  for (std::size_t c = 0; c < wanted; ++c) {
    const double mean = channels ? normalisation.mean[c] : 0.0;
    const double deviation = channels ? normalisation.deviation[c] : 1.0;
    if (!(deviation > 0))
      throw KeyError("data.deviation", "that of channel " + std::to_string(c) + " is not positive");
    for (int pixel = 0; pixel < 256; ++pixel)
      levels_.push_back(static_cast<float>((pixel / 255.0 - mean) / deviation));
  }
}

Window Augmentation::center() const {
  return {(image_.height - output_.height) / 2, (image_.width - output_.width) / 2, false};
}

Window Augmentation::random(const kernels::Random& random, std::uint64_t step, std::uint32_t index,
                            bool flip) const {
  const kernels::Random4 four = random.at(step, index);
  const int rows = image_.height - output_.height + 2 * pad_ + 1;
  const int columns = image_.width - output_.width + 2 * pad_ + 1;
  return {static_cast<int>(four.below(0, rows)) - pad_,
          static_cast<int>(four.below(1, columns)) - pad_, flip && (four.value[2] & 1)};
}

void Augmentation::apply(std::span<const std::uint8_t> image, Window window, View to) const {
  assert(image.size() == image_.size() && to.size() == output_.size());
  float* out = to.data();
  const int width = output_.width;
  // Columns [first, last) of the window lie on the image.
  const int first = std::clamp(-window.left, 0, width);
  const int last = std::clamp(image_.width - window.left, first, width);
  for (int c = 0; c < image_.channels; ++c) {
    const float* level = levels_.data() + 256 * c;
    for (int y = 0; y < output_.height; ++y, out += width) {
      const int line = window.top + y;
      if (first > 0 || last < width || line < 0 || line >= image_.height) {
        std::fill_n(out, width, level[0]);
      }
      if (line < 0 || line >= image_.height) continue;
      const std::uint8_t* row =
          image.data() + (std::size_t(c) * image_.height + line) * image_.width;
      if (window.mirrored)
        for (int x = first; x < last; ++x) out[width - 1 - x] = level[row[window.left + x]];
      else
        for (int x = first; x < last; ++x) out[x] = level[row[window.left + x]];
    }
  }
}

}  // namespace easgd
