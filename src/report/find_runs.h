// Which folders of runs do the words of a command line mean?
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace easgd::report {

struct Found {
  std::filesystem::path folder;
  bool is_sweep = false;  ///< it has a manifest, which knows its runs; else it is a run's
};

/// The runs and sweeps that `places` stand for, each once, in order: such a folder for itself, any
/// other for those below it, in order of their names.
/// Throws: DataError if a place is not there, is no folder, or if there is no run in it.
std::vector<Found> find_runs(const std::vector<std::string>& places);

/// The run folders below a sweep's, whatever its manifest says.
std::vector<std::filesystem::path> find_runs_below(const std::filesystem::path& sweep);

}  // namespace easgd::report
