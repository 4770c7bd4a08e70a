// How long a sweep is going to take, from the runs that there are.
#pragma once

#include <optional>
#include <vector>

#include "sweep/capacity.h"
#include "sweep/estimate.h"
#include "sweep/plan.h"
#include "sweep/sweep_folder.h"

namespace easgd {

/// What the runs that are done say.
Estimate estimate_from(const SweepPlan& plan, const SweepFolder& folder);

/// A run that is not done.
struct OpenRun {
  const SweepRun* run;
  double seconds = 0;  ///< that it has been at work
};

/// With as many at once as there is room for; nothing if one is not known.
std::optional<double> seconds_left(const std::vector<OpenRun>& open, const Estimate& estimate,
                                   const Capacity& capacity);

}  // namespace easgd
