#include "kernels/resample.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

namespace easgd::kernels {
namespace {

/// Values that lie together: a pixel's three channels, and one more that nobody looks at.
typedef float Four __attribute__((vector_size(16)));
typedef std::int32_t FourLevels __attribute__((vector_size(16)));

/// to[i] = sum_k weights[k] lines[k][i]
///
/// Which products and sums are fused is said here and not left to the compiler, so that pixels and
/// planes come to the same bits.
void mix_lines(std::span<const float> weights, const std::uint8_t* const* lines, std::size_t count,
               float* to) {
  std::size_t k = weights.size() % 2 ? 1 : 2;
  const std::uint8_t *a = lines[0], *b = lines[k - 1];
  const float first = weights[0], second = k == 2 ? weights[1] : 0.0f;
  if (k == 1) {
    for (std::size_t i = 0; i < count; ++i) to[i] = first * float(a[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i)
      to[i] = std::fma(first, float(a[i]), second * float(b[i]));
  }
  for (; k < weights.size(); k += 2) {
    const std::uint8_t *c = lines[k], *d = lines[k + 1];
    const float third = weights[k], fourth = weights[k + 1];
    for (std::size_t i = 0; i < count; ++i)
      to[i] = std::fma(third, float(c[i]), std::fma(fourth, float(d[i]), to[i]));
  }
}

/// Along a line of single bytes.
struct Plane {
  static constexpr int kBytes = 1;

  static void mix(const ResampledAxis& columns, const float* line, std::uint8_t* to, std::size_t) {
    for (int x = 0; x < columns.size(); ++x) {
      const float* from = line + columns.start(x);
      const auto weights = columns.weights(x);
      float sum = 0.5f;
      for (int k = 0; k < columns.taps(); ++k)
        sum = std::fma(weights[std::size_t(k)], from[k], sum);
      to[x] = std::uint8_t(sum);
    }
  }
};

typedef std::uint8_t SixteenBytes __attribute__((vector_size(16)));

/// weight * pixel + sum, rounded once, however it is compiled.
inline Four fused(float weight, Four pixel, Four sum) {
#ifdef __FMA__
  return __builtin_ia32_vfmaddps(weight - Four{}, pixel, sum);
#else
  for (int c = 0; c < 4; ++c) sum[c] = std::fma(weight, pixel[c], sum[c]);
  return sum;
#endif
}

/// The sum of a pixel, kTaps being how many there are (0: that is known at run time).
template <int kTaps>
inline Four sum_of(const float* from, const float* weights, int taps) {
  Four sum = {0.5f, 0.5f, 0.5f, 0.5f};
  for (int k = 0; k < (kTaps ? kTaps : taps); ++k) {
    Four pixel;
    std::memcpy(&pixel, from + 3 * k, sizeof pixel);
    sum = fused(weights[k], pixel, sum);
  }
  return sum;
}

/// Four values, as levels.
inline void store(Four values, std::uint8_t* to) {
  const auto words = SixteenBytes(__builtin_convertvector(values, FourLevels));
  const SixteenBytes lowest =
      __builtin_shufflevector(words, words, 0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  std::memcpy(to, &lowest, 4);
}

template <int kTaps>
void mix_pixels(const ResampledAxis& columns, const float* line, std::uint8_t* to,
                std::size_t plane) {
  const int taps = columns.taps();
  const float* weights = columns.weights(0).data();
  const auto sum = [&](int x) {
    return sum_of<kTaps>(line + 3 * columns.start(x), weights + x * taps, taps);
  };
  int x = 0;
  for (; x + 4 <= columns.size(); x += 4) {
    const Four a = sum(x), b = sum(x + 1), c = sum(x + 2), d = sum(x + 3);
    const Four ac = __builtin_shufflevector(a, c, 0, 4, 1, 5);
    const Four bd = __builtin_shufflevector(b, d, 0, 4, 1, 5);
    const Four ac_blue = __builtin_shufflevector(a, c, 2, 6, 3, 7);
    const Four bd_blue = __builtin_shufflevector(b, d, 2, 6, 3, 7);
    store(__builtin_shufflevector(ac, bd, 0, 4, 1, 5), to + x);
    store(__builtin_shufflevector(ac, bd, 2, 6, 3, 7), to + plane + x);
    store(__builtin_shufflevector(ac_blue, bd_blue, 0, 4, 1, 5), to + 2 * plane + x);
  }
  for (; x < columns.size(); ++x) {
    const Four last = sum(x);
    for (std::size_t c = 0; c < 3; ++c) to[c * plane + std::size_t(x)] = std::uint8_t(last[c]);
  }
}

/// Along a line of pixels, whose channels go to planes of their own, `plane` bytes apart.
struct Pixels {
  static constexpr int kBytes = 3;

  static void mix(const ResampledAxis& columns, const float* line, std::uint8_t* to,
                  std::size_t plane) {
    switch (columns.taps()) {
      case 2:
        return mix_pixels<2>(columns, line, to, plane);
      case 3:
        return mix_pixels<3>(columns, line, to, plane);
      case 4:
        return mix_pixels<4>(columns, line, to, plane);
      default:
        return mix_pixels<0>(columns, line, to, plane);
    }
  }
};

template <class Kind>
void resample(const ResampledAxis& rows, const ResampledAxis& columns, const NextLine& line,
              std::uint8_t* to) {
  const auto width = std::size_t(columns.size()), plane = width * std::size_t(rows.size());
  const std::size_t count = std::size_t(columns.end() - columns.begin()) * Kind::kBytes;
  const int taps = rows.taps();
  thread_local std::vector<float> mixed;
  mixed.resize(std::max(mixed.size(), count + 1));  // Pixels reads one value more
  std::vector<const std::uint8_t*> lines(std::size_t(taps), nullptr);  // those of the last row
  int next = rows.begin();
  for (int y = 0; y < rows.size(); ++y) {
    for (; next < rows.begin() + rows.start(y) + taps; ++next) {
      std::rotate(lines.begin(), lines.begin() + 1, lines.end());
      lines.back() = line(next);
    }
    mix_lines(rows.weights(y), lines.data(), count, mixed.data());
    Kind::mix(columns, mixed.data(), to + std::size_t(y) * width, plane);
  }
}

}  // namespace

ResampledAxis::ResampledAxis(const Stretch& stretch, int first, int wanted)
    : starts_(std::size_t(wanted)) {
  assert(wanted > 0 && first >= 0 && first + wanted <= stretch.count);
  constexpr double kTiny = 1e-9;  // what a sum of fractions may lie beside a whole number
  const double scale = stretch.length / stretch.count, reach = std::max(1.0, scale);
  const auto center = [&](int i) {  // as the number of an old pixel
    return stretch.begin + (first + i + 0.5) * scale - 0.5;
  };
  const auto first_near = [&](int i) { return int(std::floor(center(i) - reach)) + 1; };
  const int least = int(std::floor(stretch.begin + kTiny));
  const int most = int(std::ceil(stretch.begin + stretch.length - kTiny));
  begin_ = std::max(least, first_near(0));
  end_ = std::max(begin_ + 1, std::min(most, int(std::ceil(center(wanted - 1) + reach))));
  taps_ = std::min(int(std::ceil(2 * reach - kTiny)), end_ - begin_);
  weights_.resize(std::size_t(wanted) * std::size_t(taps_));
  float* weights = weights_.data();
  for (int i = 0; i < wanted; ++i, weights += taps_) {
    const int start = std::clamp(first_near(i), begin_, end_ - taps_);
    starts_[std::size_t(i)] = start - begin_;
    double sum = 0;
    const auto weight = [&](int k) {
      return std::max(0.0, 1 - std::abs(start + k - center(i)) / reach);
    };
    for (int k = 0; k < taps_; ++k) sum += weight(k);
    for (int k = 0; k < taps_; ++k) weights[k] = float(weight(k) / sum);
  }
}

void resample_plane(const ResampledAxis& rows, const ResampledAxis& columns, const NextLine& line,
                    std::uint8_t* to) {
  resample<Plane>(rows, columns, line, to);
}

void resample_pixels(const ResampledAxis& rows, const ResampledAxis& columns, const NextLine& line,
                     std::uint8_t* to) {
  resample<Pixels>(rows, columns, line, to);
}

}  // namespace easgd::kernels
