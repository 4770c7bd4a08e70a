// Which folders of runs do the words of a command line mean?
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace easgd::report {

/// The run folders that `places` stand for, each once, in order: a run folder for itself, any other
/// folder for the runs below it, in order of their names.
/// Throws: DataError if a place is not there, is no folder, or if there is no run in it.
std::vector<std::filesystem::path> find_runs(const std::vector<std::string>& places);

/// Whether a folder has a file that only a run leaves.
bool is_run_folder(const std::filesystem::path& folder);

}  // namespace easgd::report
