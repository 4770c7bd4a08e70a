#include "report/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/philox.h"

namespace easgd::report {
namespace {

constexpr std::size_t kResamples = 10'000;
constexpr std::size_t kEnoughToResample = 5;

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

/// The 0.975 quantile of Student's t.
double student_quantile(std::size_t freedom) {
  constexpr double kSmall[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                               2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                               2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                               2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  constexpr double kNormal = 1.95996;
  if (freedom <= std::size(kSmall)) return kSmall[freedom - 1];
  const double f = double(freedom), z = kNormal;
  return z + (z * z * z + z) / (4 * f);  // Cornish and Fisher's first term
}

/// The share below the expanded interval, 0.025 for many values.
double tail_of(std::size_t count) {
  const double n = double(count);
  const double z = std::sqrt(n / (n - 1)) * student_quantile(count - 1);
  return std::erfc(z / std::sqrt(2.0)) / 2;
}

/// The mean of as many values, drawn with replacement.
double resampled_mean(std::span<const double> values, std::uint32_t resample) {
  const kernels::Random random{.seed = 0, .stream = kernels::Stream::bootstrap};
  kernels::Random4 drawn{};
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 4 == 0) drawn = random.at(resample, std::uint32_t(i / 4));
    sum += values[drawn.below(int(i % 4), std::uint32_t(values.size()))];
  }
  return sum / double(values.size());
}

}  // namespace

double quantile(std::span<const double> sorted, double share) {
  const double place = share * double(sorted.size() - 1);
  const std::size_t below = std::size_t(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - double(below)) * (sorted[above] - sorted[below]);
}

Spread spread_of(std::span<const double> values) {
  if (values.empty()) return {};
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  Spread spread{.count = sorted.size(), .mean = mean_of(sorted)};
  double squares = 0;
  for (const double v : sorted) squares += (v - spread.mean) * (v - spread.mean);
  if (sorted.size() > 1) spread.deviation = std::sqrt(squares / double(sorted.size() - 1));
  spread.lower = quantile(sorted, 0.25);
  spread.upper = quantile(sorted, 0.75);
  spread.smallest = sorted.front();
  spread.largest = sorted.back();
  return spread;
}

Interval interval_of_mean(std::span<const double> values) {
  if (values.size() < kEnoughToResample) {
    const Spread spread = spread_of(values);
    const double half =
        student_quantile(values.size() - 1) * spread.deviation / std::sqrt(double(values.size()));
    return {spread.mean - half, spread.mean + half};
  }
  std::vector<double> means(kResamples);
  for (std::size_t i = 0; i < kResamples; ++i) means[i] = resampled_mean(values, std::uint32_t(i));
  std::ranges::sort(means);
  const double tail = tail_of(values.size());
  return {quantile(means, tail), quantile(means, 1 - tail)};
}

}  // namespace easgd::report
