#include "data/normalisation.h"

#include <cmath>
#include <cstdint>

#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

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

/// Of pixel / 255. The variance comes from n sum(x^2) - sum(x)^2, which is exact in 128 bits: there
/// are no digits to be lost where a channel hardly varies.
float deviation(const Sums& sum, std::uint64_t pixels) {
  __extension__ typedef unsigned __int128 Wide;
  const Wide spread = Wide(pixels) * sum.squares - Wide(sum.pixels) * sum.pixels;
  const double variance = double(spread) / (double(pixels) * double(pixels));
  const auto result = static_cast<float>(std::sqrt(variance) / 255);
  return double(result) < kLeastDeviation ? 1.0f : result;
}

}  // namespace

Normalisation measure_normalisation(const Dataset& set, std::size_t limit) {
  const std::size_t count = used_samples(set, limit);
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
  const std::uint64_t pixels = std::uint64_t(count) * shape.height * shape.width;
  for (const Sums& sum : sums) {
    result.mean.push_back(static_cast<float>(double(sum.pixels) / double(pixels) / 255));
    result.deviation.push_back(deviation(sum, pixels));
  }
  return result;
}

}  // namespace easgd
