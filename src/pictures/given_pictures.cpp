#include "pictures/given_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "pictures/decode.h"
#include "pictures/folder_set.h"

namespace easgd {
namespace {

/// The middle of a picture that is resized until it just covers a size.
Cut covering(Shape picture, Shape size) {
  const double scale = std::max(double(size.height) / picture.height,  //
                                double(size.width) / picture.width);
  const int height = std::max(size.height, int(std::lround(picture.height * scale)));
  const int width = std::max(size.width, int(std::lround(picture.width * scale)));
  return {{0, 0, picture.height, picture.width},
          height,
          width,
          {(height - size.height) / 2, (width - size.width) / 2, size.height, size.width}};
}

/// In the place of the first channel. Grey stays what it is: the shares add up to 2^16.
Image brightness(const Image& colours, Scratch& scratch) {
  const std::size_t plane = colours.pixels.size() / 3;
  const std::uint8_t *red = colours.pixels.data(), *green = red + plane, *blue = green + plane;
  std::vector<std::uint8_t> grey(plane);
  for (std::size_t i = 0; i < plane; ++i)
    grey[i] = std::uint8_t((19595u * red[i] + 38470u * green[i] + 7471u * blue[i] + 32768u) >> 16);
  std::copy(grey.begin(), grey.end(), scratch.begin());
  return {{1, colours.shape.height, colours.shape.width}, std::span(scratch).first(plane)};
}

}  // namespace

GivenPictures::GivenPictures(std::vector<std::filesystem::path> paths, Shape like)
    : paths_(std::move(paths)), shape_(like), why_(paths_.size()) {
  if (shape_.channels != 1 && shape_.channels != 3)
    throw DataError(
        fmt::format("the network takes images of {} channels; expected 1 or 3, which "
                    "pictures have",
                    shape_.channels));
}

Image GivenPictures::image(std::size_t index, Scratch& scratch) const {
  return decoded(index, whole_of, scratch);
}

CutImage GivenPictures::cut(std::size_t index, const ChooseCut& choose, Scratch& scratch) const {
  try {
    if (!has_one_size()) return {decoded(index, choose, scratch)};
    const ChooseCut cover = [this](Shape picture) { return covering(picture, shape_); };
    const Image image = decoded(index, cover, scratch);
    return cut_out(image, choose(image.shape), scratch);
  } catch (const DataError& error) {
    why_[index] = error.what();
    return {black_cut(shape_, choose, scratch)};
  }
}

Image GivenPictures::decoded(std::size_t index, const ChooseCut& choose, Scratch& scratch) const {
  thread_local std::vector<std::uint8_t> memory;
  const Image image = decode(read_picture(paths_[index], memory), choose, scratch);
  return shape_.channels == 1 ? brightness(image, scratch) : image;
}

}  // namespace easgd
