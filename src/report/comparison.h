// Is a group of runs better than another, or is the difference noise?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/by_seed.h"
#include "report/statistics.h"
#include "report/study.h"

namespace easgd::report {

/// A figure of a run; nothing if it has none.
using Measure = std::optional<double> (*)(const ReportedRun&);

std::optional<double> test_error(const ReportedRun& run);
std::optional<double> best_test_error(const ReportedRun& run);

enum class Verdict {
  none,            ///< no complete run
  best,            ///< the lowest mean: what the others are compared with
  no_common_seed,  ///< with the best
  one_seed,        ///< in common: there is no spread to judge by
  not_distinguishable,
  too_few_seeds,  ///< higher with every seed, and by chance so once in eight times or more
  lower,          ///< with the seeds in common, though not with all
  higher
};

/// "not distinguishable", "higher"...
std::string words_of(Verdict verdict);

/// A group's figures beside those of the best group.
struct Comparison {
  Spread spread;                     ///< over its complete runs
  std::size_t pairs = 0;             ///< seeds that it has in common with the best
  double difference = 0;             ///< mean of the paired differences, its own minus the best's
  std::optional<Interval> interval;  ///< of that mean; from two pairs on
  Verdict verdict = Verdict::none;
};

/// By seed, the mean of what complete runs of the group have.
BySeed by_seed(const Study& study, const Group& group, Measure measure);

/// One of each group. The best, of each data set, is the one with the lowest mean among those with
/// at least half as many seeds as any, so that a lucky one does not win; it is chosen by the same
/// figures, which flatters it.
std::vector<Comparison> compare(const Study& study, Measure measure);

}  // namespace easgd::report
