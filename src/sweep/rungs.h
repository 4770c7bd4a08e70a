// Where the runs of a sweep that stops early pause.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runs/pause_point.h"
#include "sweep/plan.h"

namespace easgd {

/// first, first * eta, first * eta^2, ..., below the end of the runs.
/// Throws: ConfigError if runs have no such end, or not all the same; if it is not behind the first
/// rung, or too many rungs lie before it; or if one of them makes no checkpoints.
std::vector<PausePoint> rungs_of(const EarlyStop& stop, const std::vector<SweepRun>& runs);

/// What early stopping is going to come to, if each rung is decided when it is full.
struct HalvingForecast {
  std::vector<std::size_t> candidates;  ///< that come to each rung, and to the end
  double work = 1;                      ///< share of the steps of all runs at their whole length
};
HalvingForecast forecast(const SweepPlan& plan, std::size_t candidates);

/// The forecast in a line.
std::string describe_rungs(const SweepPlan& plan, std::size_t candidates);

}  // namespace easgd
