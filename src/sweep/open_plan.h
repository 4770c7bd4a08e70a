// A sweep whose runs are asked for one after the other, as a search does.
#pragma once

#include <string>
#include <vector>

#include "sweep/plan.h"

namespace easgd {

/// A plan without runs. Combinations of all lists and of the ends of all ranges are planned on the
/// way, some hundreds of them if there are more, so that a mistake is found before anything runs.
/// Throws: as plan_sweep.
SweepPlan open_plan(const SweepFile& file, const std::vector<std::string>& overrides);

}  // namespace easgd
