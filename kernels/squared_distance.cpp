#include "kernels/squared_distance.h"

namespace easgd::kernels {
namespace {

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

}  // namespace easgd::kernels
