// In which keys do runs differ?
#pragma once

#include <string>
#include <vector>

#include "report/study.h"

namespace easgd::report {

/// The keys whose values differ between the runs, most important first. What names a run or a place
/// is none, nor what follows from the data. Networks of other layers differ in one axis,
/// "network.layer". The `planned` axes of a sweep go before, and of others there are only those
/// that tell runs apart which these do not.
std::vector<Axis> axes_between(const std::vector<ReportedRun>& runs,
                               const std::vector<std::string>& planned = {});

/// How early an axis is named: method, workers and tau come first.
std::size_t rank_of(const std::string& axis);

/// "p=4" for workers.devices = "4 x cpu", or four in a list; "tau=16" for algorithm.tau; a method
/// by its name alone.
std::string words_of(const std::string& axis, const std::string& value);

}  // namespace easgd::report
