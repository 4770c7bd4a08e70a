#include "data/dataset.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/resample.h"

namespace easgd {

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
  const auto line = std::size_t(whole.shape.width);
  const std::size_t plane = line * std::size_t(whole.shape.height);
  const std::size_t resized_plane = shape.size() / std::size_t(shape.channels);
  thread_local Scratch resized;  // for `scratch` may hold the whole image
  resized.resize(std::max(resized.size(), shape.size()));
  for (int c = 0; c < shape.channels; ++c) {
    const std::uint8_t* first = whole.pixels.data() + std::size_t(c) * plane + columns.begin();
    kernels::resample_plane(
        rows, columns, [&](int y) { return first + std::size_t(y) * line; },
        resized.data() + std::size_t(c) * resized_plane);
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
