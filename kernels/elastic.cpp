#include "kernels/elastic.h"

#include <algorithm>

namespace easgd::kernels {
namespace {

/// Floats of the center that stay in the first-level cache while every letter passes.
constexpr std::size_t kBlock = 2048;

template <class Value>
double sum_of_squares(std::size_t count, Value value) {
  constexpr std::size_t kLanes = 8;
  double lane[kLanes] = {};
  const std::size_t whole = count - count % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      const double d = value(i + k);
      lane[k] += d * d;
    }
  }
  double sum = 0;
  for (const double part : lane) sum += part;
  for (std::size_t i = whole; i < count; ++i) sum += value(i) * value(i);
  return sum;
}

}  // namespace

double squared_distance(const float* x, const float* center, std::size_t count) {
  if (!center) return sum_of_squares(count, [x](std::size_t i) { return double(x[i]); });
  return sum_of_squares(count, [=](std::size_t i) { return double(x[i]) - double(center[i]); });
}

void elastic(const ElasticLetter* letters, std::size_t letter_count, float* center,
             std::size_t count) {
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t n = std::min(kBlock, count - begin);
    float start[kBlock];
    std::copy_n(center + begin, n, start);
    for (std::size_t l = 0; l < letter_count; ++l) {
      const float* __restrict x = letters[l].x + begin;
      float* __restrict pull = letters[l].pull + begin;
      float* __restrict c = center + begin;
      const float alpha = letters[l].alpha;
      for (std::size_t i = 0; i < n; ++i) {
        pull[i] = alpha * (x[i] - start[i]);
        c[i] += pull[i];
      }
    }
  }
}

}  // namespace easgd::kernels
