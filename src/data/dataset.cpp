#include "data/dataset.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/resample.h"

namespace easgd {
namespace {

const std::uint8_t* line_of(const Image& image, int channel, int line) {
  const Shape& shape = image.shape;
  return image.pixels.data() +
         (std::size_t(channel) * std::size_t(shape.height) + std::size_t(line)) *
             std::size_t(shape.width);
}

/// The channels of a pixel together, which is faster than plane by plane and gives the same bytes.
void resample_colours(const Image& whole, const kernels::ResampledAxis& rows,
                      const kernels::ResampledAxis& columns, std::uint8_t* to) {
  const auto count = std::size_t(columns.end() - columns.begin()), kept = std::size_t(rows.taps());
  thread_local Scratch lines;
  lines.resize(std::max(lines.size(), 3 * count * kept));
  const auto line = [&](int y) {
    std::uint8_t* const pixels = lines.data() + std::size_t(y) % kept * 3 * count;
    const std::uint8_t* const red = line_of(whole, 0, y) + columns.begin();
    const std::uint8_t* const green = line_of(whole, 1, y) + columns.begin();
    const std::uint8_t* const blue = line_of(whole, 2, y) + columns.begin();
    for (std::size_t i = 0; i < count; ++i) {
      pixels[3 * i] = red[i], pixels[3 * i + 1] = green[i], pixels[3 * i + 2] = blue[i];
    }
    return pixels;
  };
  kernels::resample_pixels(rows, columns, line, to);
}

}  // namespace

std::string Dataset::image_name(std::size_t index) const {
  return "image " + std::to_string(index);
}

CutImage Dataset::cut(std::size_t index, const ChooseCut& choose, Scratch& scratch) const {
  const Image whole = image(index, scratch);
  try {
    return cut_out(whole, choose(whole.shape), scratch);
  } catch (const DataError& error) {
    throw DataError(image_name(index) + " " + error.what());
  }
}

CutImage cut_out(const Image& whole, const Cut& cut, Scratch& scratch) {
  const Region &from = cut.region, &part = cut.part;
  if (!cut.resizes()) return {whole, from.top + part.top, from.left + part.left};
  const kernels::ResampledAxis rows({double(from.top), double(from.height), cut.height}, part.top,
                                    part.height);
  const kernels::ResampledAxis columns({double(from.left), double(from.width), cut.width},
                                       part.left, part.width);
  const Shape shape{whole.shape.channels, part.height, part.width};
  thread_local Scratch resized;  // for `scratch` may hold the whole image
  resized.resize(std::max(resized.size(), shape.size()));
  if (shape.channels == 3) {
    resample_colours(whole, rows, columns, resized.data());
  } else {
    const std::size_t resized_plane = shape.size() / std::size_t(shape.channels);
    for (int c = 0; c < shape.channels; ++c) {
      kernels::resample_plane(
          rows, columns, [&](int y) { return line_of(whole, c, y) + columns.begin(); },
          resized.data() + std::size_t(c) * resized_plane);
    }
  }
  scratch.swap(resized);
  return {{shape, std::span(scratch).first(shape.size())}, 0, 0};
}

Image black_cut(Shape image, const ChooseCut& choose, Scratch& scratch) {
  constexpr int kLarge = 1 << 14;
  if (image.height == 0) image.height = image.width = kLarge;
  const Cut cut = choose(image);
  const Shape part{image.channels, cut.part.height, cut.part.width};
  scratch.assign(std::max(scratch.size(), part.size()), 0);
  return {part, std::span(scratch).first(part.size())};
}

std::size_t used_samples(const Dataset& set, std::size_t limit) {
  if (set.size() == 0) throw DataError("the data set has no images");
  return limit == 0 ? set.size() : std::min(limit, set.size());
}

}  // namespace easgd
