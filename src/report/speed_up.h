// How long until a test error is reached, and how much sooner than with one worker?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/statistics.h"
#include "report/study.h"

namespace easgd::report {

/// A method with so many workers: its quickest group.
struct SpeedRow {
  std::string method;
  std::size_t workers = 0;
  bool is_virtual = false;  ///< its seconds are; never compared with others
  std::size_t group = 0;
  std::size_t reached = 0, of = 0;  ///< seeds
  Spread seconds;                   ///< over the seeds that reached it
  bool is_baseline = false;
  /// Of the baseline's seconds to its own, geometric mean over the seeds of both; nothing without
  /// a baseline or a seed in common.
  std::optional<double> speed_up = {};
  std::optional<Interval> interval = {};  ///< of that; from two seeds on
};

struct SpeedLevel {
  std::string level;           ///< a test error, as summary.json writes it: "0.25"
  std::vector<SpeedRow> rows;  ///< by method and workers
};

/// Every level that a complete run has reached, highest first. The baseline is the quickest group
/// of one worker.
std::vector<SpeedLevel> speed_levels(const Study& study);

/// All levels of time_to_error that the runs have, highest first.
std::vector<std::string> levels_of(const std::vector<ReportedRun>& runs);

}  // namespace easgd::report
