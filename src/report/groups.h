// Which runs differ in nothing but their seed?
#pragma once

#include <vector>

#include "report/study.h"

namespace easgd::report {

/// In the order of the axes' values. Labels name only what is needed to tell groups apart;
/// the rest is there for who wants to repeat one.
std::vector<Group> groups_of(const std::vector<ReportedRun>& runs, const std::vector<Axis>& axes);

}  // namespace easgd::report
