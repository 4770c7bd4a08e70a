// Curves as a page draws them: few points, and means and bands over the seeds of a group.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "report/reported_run.h"

namespace easgd::report {

/// What an evaluation can be drawn against, and what of it.
enum Column { seconds, epochs, exchanges, test_error_column, test_loss, train_loss };
constexpr std::size_t kColumns = 6, kBases = 3;

/// [column][point]; what is not finite is NaN.
using Curve = std::array<std::vector<double>, kColumns>;

/// Of the run's evaluations, at most `points` of them: the first, the last, and those between at
/// even distances.
Curve curve_of(const ReportedRun& run, std::size_t points);

/// Mean and extent over several curves.
struct Band {
  std::vector<double> x, mean, low, high;
};

/// Of column `y` against `x`, by linear interpolation at `points` places that all curves have:
/// the band ends with the shortest. `low` and `high` are the smallest and the largest; of eight
/// curves and more, the middle half. Empty if they have no piece in common.
Band band_of(const std::vector<const Curve*>& curves, Column x, Column y, std::size_t points);

/// Staleness, distance and shares of a run's workers over time.
struct Telemetry {
  std::vector<double> seconds;    ///< of training, in wall time
  std::vector<double> distance;   ///< mean over the workers
  std::vector<double> staleness;  ///< mean over the workers
  std::vector<double> rate;       ///< images a second
};
Telemetry telemetry_of(const ReportedRun& run, std::size_t points);

}  // namespace easgd::report
