#include "sweep/time_left.h"

#include <algorithm>

namespace easgd {

Estimate estimate_from(const SweepPlan& plan, const SweepFolder& folder) {
  Estimate estimate;
  for (const SweepRun& run : plan.runs) {
    if (const auto summary = folder.finished(run.identity())) estimate.learn(run, *summary);
  }
  return estimate;
}

std::optional<double> seconds_left(const std::vector<OpenRun>& open, const Estimate& estimate,
                                   const Capacity& capacity) {
  double left = 0;
  for (const OpenRun& it : open) {
    const auto seconds = estimate.seconds_of(*it.run);
    if (!seconds) return std::nullopt;
    left += std::max(0.0, *seconds - it.seconds) * capacity.fraction_of(it.run->demand);
  }
  return left;
}

}  // namespace easgd
