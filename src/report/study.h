// All that a report is about: the runs, in what they differ, and which belong together.
#pragma once

#include <string>
#include <vector>

#include "report/reported_run.h"

namespace easgd::report {

/// A key in which the runs differ.
struct Axis {
  std::string key;                  ///< dotted, as in "algorithm.tau"
  std::vector<std::string> values;  ///< all there are, numbers in order; "" where it is not given
};

/// Runs that differ in nothing but their seed.
struct Group {
  std::vector<std::string> values;  ///< of each axis
  std::vector<std::size_t> runs;    ///< indices, in order
  std::string label;                ///< tells it from all others: "easgd p=4 tau=16"
  std::string unnamed;              ///< values that the label goes without: "beta=0.9"
};

struct Study {
  std::vector<ReportedRun> runs;
  std::vector<Axis> axes;
  std::vector<Group> groups;       ///< without runs whose configuration is not known
  std::vector<std::string> notes;  ///< what is wrong outside of a run
};

/// Value of an axis in a run; empty if it is not given.
std::string value_of(const ReportedRun& run, const std::string& axis);

/// Reads the runs of all places: run folders, folders of runs, sweeps.
/// Throws: DataError if there is no run in a place.
Study read_study(const std::vector<std::string>& places);

/// Finds axes and groups of runs that have been read.
/// `planned` are the axes of a sweep, if all runs are of one.
Study make_study(std::vector<ReportedRun> runs, const std::vector<std::string>& planned = {});

}  // namespace easgd::report
