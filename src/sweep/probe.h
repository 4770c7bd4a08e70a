// Short trials of a sweep's runs, to know how fast they are.
#pragma once

#include <functional>

#include "sweep/estimate.h"
#include "sweep/plan.h"

namespace easgd {

/// Trains for some steps, in a process and a folder of its own, one run of each kind that
/// `estimate` does not know.
/// False if `wants_end` ended it early.
/// Throws: DataError, DeviceError if such a trial fails, with its last words.
bool probe(const SweepPlan& plan, Estimate& estimate, const std::function<bool()>& wants_end);

}  // namespace easgd
