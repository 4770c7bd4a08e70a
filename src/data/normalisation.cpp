#include "data/normalisation.h"

#include <cmath>

#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include "base/error.h"

namespace easgd {
namespace {

/// Of one channel; 64 bits hold the squares of 2.8e14 pixels.
struct Sums {
  std::uint64_t pixels = 0;
  std::uint64_t squares = 0;
};

using ChannelSums = std::vector<Sums>;

void add_image(std::span<const std::uint8_t> image, ChannelSums& sums) {
  const std::size_t plane = image.size() / sums.size();
  for (std::size_t c = 0; c < sums.size(); ++c) {
    std::uint64_t pixels = 0, squares = 0;
    for (const std::uint32_t pixel : image.subspan(c * plane, plane)) {
      pixels += pixel;
      squares += pixel * pixel;
    }
    sums[c].pixels += pixels;
    sums[c].squares += squares;
  }
}

}  // namespace

Normalisation measure_normalisation(const Dataset& set, std::size_t limit) {
  const std::size_t count = limit && limit < set.size() ? limit : set.size();
  if (count == 0) throw DataError("the data set has no images");
  const Shape shape = set.shape();
  const ChannelSums sums = tbb::parallel_reduce(
      tbb::blocked_range<std::size_t>(0, count, 256), ChannelSums(shape.channels),
      [&](const tbb::blocked_range<std::size_t>& range, ChannelSums part) {
        std::vector<std::uint8_t> scratch(shape.size());
        for (std::size_t i = range.begin(); i != range.end(); ++i)
          add_image(set.image(i, scratch), part);
        return part;
      },
      [](ChannelSums a, const ChannelSums& b) {
        for (std::size_t c = 0; c < a.size(); ++c) {
          a[c].pixels += b[c].pixels;
          a[c].squares += b[c].squares;
        }
        return a;
      });
  Normalisation result;
  const double pixels = static_cast<double>(count) * shape.height * shape.width;
  for (const Sums& sum : sums) {
    const double mean = sum.pixels / pixels;
    const double variance = sum.squares / pixels - mean * mean;
    result.mean.push_back(static_cast<float>(mean / 255));
    result.deviation.push_back(variance > 0 ? static_cast<float>(std::sqrt(variance) / 255) : 1.0f);
  }
  return result;
}

}  // namespace easgd
