// Where a data set is, if it is anywhere.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/dataset_files.h"
#include "data/search_root.h"

namespace easgd {

/// The folder of a set: the first that holds all its files, else the one that holds most of them.
/// Throws: DataError that lists the folders looked in and what can be done, or names the one that
/// cannot be looked into and why. A folder that is there but lacks files is found; the reader then
/// says which file is missing.
std::filesystem::path find_folder(const std::string& set, const DatasetFiles& wanted,
                                  const std::string& dir);

/// Whether a set can be read, without reading it: its folder, with all its files in it, or
/// "built in" for a set that needs none.
/// Throws: ConfigError if no data set has that name.
std::optional<std::string> locate(const std::string& set, const std::string& dir);

/// What keeps a set that `locate` has not found from being read, for who chose `dir` by `option`.
std::string why_not_located(const std::string& set, const std::string& dir, const char* option);

/// Whether `dir` holds no file of the set, and can be looked into: they have moved.
bool moved_away(const std::string& set, const std::string& dir);

}  // namespace easgd
