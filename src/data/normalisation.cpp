#include "data/normalisation.h"

#include <cmath>
#include <cstdint>

#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include "data/dataset.h"

namespace easgd {
namespace {

/// 64 bits hold the squares of 2.8e14 pixels.
struct Sums {
  std::uint64_t pixels = 0;
  std::uint64_t squares = 0;
};

struct SetSums {
  explicit SetSums(int channels) : channels(std::size_t(channels)) {}

  void add(const Image& image) {
    const std::size_t plane = image.pixels.size() / channels.size();
    for (std::size_t c = 0; c < channels.size(); ++c) {
      std::uint64_t pixels = 0, squares = 0;
      for (const std::uint32_t pixel : image.pixels.subspan(c * plane, plane)) {
        pixels += pixel;
        squares += pixel * pixel;
      }
      channels[c].pixels += pixels;
      channels[c].squares += squares;
    }
    count += plane;
  }

  void add(const SetSums& other) {
    for (std::size_t c = 0; c < channels.size(); ++c) {
      channels[c].pixels += other.channels[c].pixels;
      channels[c].squares += other.channels[c].squares;
    }
    count += other.count;
  }

  std::vector<Sums> channels;
  std::uint64_t count = 0;  ///< pixels of a channel
};

/// Of pixel / 255. The variance comes from n sum(x^2) - sum(x)^2, which is exact in 128 bits: there
/// are no digits to be lost if a channel hardly varies.
float deviation(const Sums& sum, std::uint64_t count) {
  __extension__ typedef unsigned __int128 Wide;
  const Wide spread = Wide(count) * sum.squares - Wide(sum.pixels) * sum.pixels;
  const double variance = double(spread) / (double(count) * double(count));
  const auto result = static_cast<float>(std::sqrt(variance) / 255);
  return double(result) < kLeastDeviation ? 1.0f : result;
}

}  // namespace

Normalisation measure_normalisation(const Dataset& set, std::size_t limit) {
  const SetSums sums = tbb::parallel_reduce(
      tbb::blocked_range<std::size_t>(0, used_samples(set, limit), 256),
      SetSums(set.shape().channels),
      [&](const tbb::blocked_range<std::size_t>& range, SetSums part) {
        Scratch scratch;
        for (std::size_t i = range.begin(); i != range.end(); ++i) part.add(set.image(i, scratch));
        return part;
      },
      [](SetSums a, const SetSums& b) {
        a.add(b);
        return a;
      });
  Normalisation result;
  for (const Sums& sum : sums.channels) {
    result.mean.push_back(static_cast<float>(double(sum.pixels) / double(sums.count) / 255));
    result.deviation.push_back(deviation(sum, sums.count));
  }
  return result;
}

}  // namespace easgd
