// What can honestly be said of a handful of numbers.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace easgd::report {

struct Spread {
  std::size_t count = 0;
  double mean = 0;
  double deviation = 0;         ///< standard deviation, divided by count - 1; 0 of one number
  double lower = 0, upper = 0;  ///< the middle half lies between: quartiles
  double smallest = 0, largest = 0;
};

/// Of numbers that are finite; all zero if there is none.
Spread spread_of(std::span<const double> values);

/// The value below which `share` of a sorted list lies, between two of them linearly (type 7 of
/// Hyndman and Fan, NumPy's default). Not empty.
double quantile(std::span<const double> sorted, double share);

struct Interval {
  double low = 0, high = 0;
  bool holds(double value) const { return low <= value && value <= high; }
};

/// 95 % interval of the mean of at least two values. Of five and more by the bootstrap: 10,000
/// resamples, drawn by fixed counters, so that the same numbers have the same interval; the
/// percentiles are expanded as Student's t is wider than the normal distribution, since plain ones
/// are too narrow. Of two to four values, whose resamples do not reach 95 %, by Student's t itself.
Interval interval_of_mean(std::span<const double> values);

}  // namespace easgd::report
