// How long a sweep is going to take.
#pragma once

#include <functional>
#include <optional>

#include "sweep/estimate.h"
#include "sweep/plan.h"
#include "sweep/supervisor.h"
#include "sweep/sweep_folder.h"

namespace easgd {

/// What the runs that are done say.
Estimate estimate_from(const SweepPlan& plan, const SweepFolder& folder);

/// Trains for some steps, in a process and a folder of its own, one run of each kind that
/// `estimate` does not know.
/// False if `wants_end` ended it early.
/// Throws: DataError, DeviceError if such a trial fails, with its last words.
bool probe(const SweepPlan& plan, Estimate& estimate, const std::function<bool()>& wants_end);

/// Of all runs that are not done, with as many at once as there is room for; nothing if one is not
/// known.
std::optional<double> seconds_left(const SweepPlan& plan, const SweepFolder& folder,
                                   const SweepOptions& options, const Estimate& estimate);

}  // namespace easgd
