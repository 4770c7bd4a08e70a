#include "data/augmentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace easgd {
namespace {

std::string sides(Shape image) {
  return fmt::format("{}x{}", image.height, image.width);
}

bool fits(Shape output, Shape image) {
  return output.height <= image.height && output.width <= image.width;
}

/// The values of levels, one after another or, with step -1, one before another.
inline void look_up(const float* values, const std::uint8_t* levels, int count, float* to,
                    int step) {
  int i = 0;
  for (; i + 8 <= count; i += 8) {
    std::uint64_t eight;  // read at once: as far as the compiler knows, writing may change levels
    std::memcpy(&eight, levels + i, sizeof eight);
    for (int k = 0; k < 8; ++k) to[(i + k) * step] = values[eight >> 8 * k & 0xFF];
  }
  for (; i < count; ++i) to[i * step] = values[levels[i]];
}

Shape size_of_crops(Shape image, const CropOptions& crop) {
  const bool one_size = image.height > 0 && crop.resize == 0;
  if (crop.side == 0 && (!one_size || crop.kind == CropKind::resized))
    throw KeyError("data.crop",
                   fmt::format("{}; expected the side of a square to cut out of each, as in "
                               "data.crop = 224",
                               one_size ? "data.crop_kind = \"resized\" takes parts of all sizes"
                                        : "the images have different sizes"));
  if (crop.side == 0) return image;
  const Shape output{image.channels, crop.side, crop.side};
  if (crop.resize > 0 && crop.resize < crop.side)
    throw KeyError("data.crop", fmt::format("{} is larger than data.resize = {}, the shorter side",
                                            crop.side, crop.resize));
  if (one_size && crop.kind == CropKind::window && !fits(output, image))
    throw KeyError("data.crop",
                   fmt::format("{} is larger than the images ({})", crop.side, sides(image)));
  return output;
}

}  // namespace

Shape cropped(Shape image, const CropOptions& crop) {
  const Shape output = size_of_crops(image, crop);
  const int side = std::min(output.height, output.width);
  if (crop.pad >= side)
    throw KeyError("data.pad", fmt::format("{}: windows of {} could lie beside the image; expected "
                                           "less than {}",
                                           crop.pad, sides(output), side));
  return output;
}

Augmentation::Augmentation(const Dataset& set, const AugmentationOptions& options)
    : set_(set), output_(cropped(set.shape(), options.crop)), crop_(options.crop) {
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

/// An image whose shorter side is resized to `shorter`; 0: as it is.
Framing Augmentation::framed(Shape image, int shorter) const {
  Framing framing{{0, 0, image.height, image.width}, image.height, image.width, {}};
  if (shorter == 0) return framing;
  const std::int64_t least = std::min(image.height, image.width);
  framing.height = int(std::int64_t(image.height) * shorter / least);
  framing.width = int(std::int64_t(image.width) * shorter / least);
  return framing;
}

Framing Augmentation::center(Shape image) const {
  const bool as_usual = crop_.kind == CropKind::resized && crop_.resize == 0;
  Framing framing = framed(image, as_usual ? (output_.height * 8 + 3) / 7 : crop_.resize);
  framing.window = {(framing.height - output_.height) / 2, (framing.width - output_.width) / 2,
                    false};
  return framing;
}

Framing Augmentation::random(Shape image, const kernels::Random& random, std::uint64_t step,
                             std::uint32_t index) const {
  if (crop_.kind == CropKind::resized) return part(image, random, step, index);
  const kernels::Random4 four = random.at(step, index);
  Framing framing = framed(image, crop_.resize);
  const int rows = framing.height - output_.height + 2 * crop_.pad + 1;
  const int columns = framing.width - output_.width + 2 * crop_.pad + 1;
  framing.window = {static_cast<int>(four.below(0, rows)) - crop_.pad,
                    static_cast<int>(four.below(1, columns)) - crop_.pad,
                    crop_.flip && (four.value[2] & 1)};
  return framing;
}

/// A part for a crop that resizes.
Framing Augmentation::part(Shape image, const kernels::Random& random, std::uint64_t step,
                           std::uint32_t index) const {
  constexpr int kTries = 10;
  constexpr std::uint32_t kNumbers = 16;  // of a sample: one for each try, the last for the mirror
  constexpr double kWidest = 4.0 / 3;
  const auto numbers = [&](std::uint32_t i) { return random.at(step, index * kNumbers + i); };
  Framing framing{{}, output_.height, output_.width, {}};
  framing.window.mirrored = crop_.flip && (numbers(kNumbers - 1).value[0] & 1);
  const double area = double(image.height) * image.width;
  for (int i = 0; i < kTries; ++i) {
    const kernels::Random4 four = numbers(std::uint32_t(i));
    const double wanted = area * (crop_.least_area + (1 - crop_.least_area) * four.uniform(0));
    const double form = std::pow(kWidest, 2.0 * four.uniform(1) - 1);
    const int height = int(std::lround(std::sqrt(wanted / form)));
    const int width = int(std::lround(std::sqrt(wanted * form)));
    if (height < 1 || width < 1 || height > image.height || width > image.width) continue;
    framing.region = {int(four.below(2, std::uint32_t(image.height - height + 1))),
                      int(four.below(3, std::uint32_t(image.width - width + 1))), height, width};
    return framing;
  }
  const int height = std::min(image.height, int(std::lround(image.width * kWidest)));
  const int width = std::min(image.width, int(std::lround(image.height * kWidest)));
  framing.region = {(image.height - height) / 2, (image.width - width) / 2, height, width};
  return framing;
}

void Augmentation::check(const Framing& framing) const {
  const Shape framed{output_.channels, framing.height, framing.width};
  if (fits(output_, framed)) return;
  throw DataError(
      fmt::format("is {}, smaller than data.crop = {}; take it out of the set, choose a smaller "
                  "crop, or resize "
                  "all images with data.resize",
                  sides(framed), output_.height));
}

void Augmentation::apply(std::size_t index, const ChooseFraming& choose, Scratch& scratch,
                         View to) const {
  Framing framing;
  Region part;
  const auto choose_cut = [&](Shape image) {
    framing = choose(image);
    check(framing);
    const Window& window = framing.window;
    const int top = std::max(window.top, 0), left = std::max(window.left, 0);
    part = {top, left, std::min(window.top + output_.height, framing.height) - top,
            std::min(window.left + output_.width, framing.width) - left};
    return Cut{framing.region, framing.height, framing.width, part};
  };
  const CutImage cut = set_.cut(index, std::cref(choose_cut), scratch);  // a copy needs memory
  assert(cut.image.shape.channels == output_.channels);
  assert(cut.image.pixels.size() == cut.image.shape.size());
  apply(cut.image,
        {framing.window.top - part.top + cut.top, framing.window.left - part.left + cut.left,
         framing.window.mirrored},
        to);
}

/// Black over the edges of the image.
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
        look_up(level, row + window.left + first, last - first, out + width - 1 - first, -1);
      else
        look_up(level, row + window.left + first, last - first, out + first, 1);
    }
  }
}

}  // namespace easgd
