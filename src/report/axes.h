// In which keys do runs differ?
#pragma once

#include <string>
#include <vector>

#include "report/study.h"

namespace easgd::report {

/// The keys whose values differ between the runs, most important first. What names a run or a place
/// is none, nor what follows from the data. Networks of other layers differ in one axis,
/// "network.layer".
std::vector<Axis> axes_between(const std::vector<ReportedRun>& runs);

/// The axes that have these keys.
std::vector<Axis> axes_named(const std::vector<ReportedRun>& runs,
                             const std::vector<std::string>& keys);

/// How early an axis is named: method, workers and tau come first.
std::size_t rank_of(const std::string& axis);

/// "p=4" for what stands as workers.devices = ["cpu", "cpu", "cpu", "cpu"], "tau=16" for
/// algorithm.tau, and a method by its name alone.
std::string words_of(const std::string& axis, const std::string& value);

}  // namespace easgd::report
