// Where the files of a data set are looked for.
//
// In the folder that `data.dir` names; where that is empty, in $EASGD_DATA; where that is empty, in
// ./data. Whichever it is may be the set's own folder or the parent of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset_files.h"

namespace easgd {

/// The folder of a set: the first that holds all its files, else the one that holds most of them.
/// Throws: DataError that lists the places looked in and what can be done, or names the place that
/// cannot be looked into and why. A folder that is there but lacks files is found; the reader then
/// says which file is missing.
std::filesystem::path find_folder(const std::string& set, const DatasetFiles& wanted,
                                  const std::string& dir);

/// The first of `names` that is a file, if any is.
/// Throws: DataError where something else has one of the names, or nothing can be said of it.
std::optional<std::filesystem::path> look_for_file(const std::filesystem::path& folder,
                                                   const std::vector<std::string>& names);

/// The same. Throws: DataError, too, where none is there.
std::filesystem::path find_file(const std::filesystem::path& folder,
                                const std::vector<std::string>& names, const DatasetFiles& set);

/// Files of `folder` called `pattern`, with any number in the place of its #, by that number.
/// Throws: DataError where the folder cannot be read.
std::vector<std::filesystem::path> numbered_files(const std::filesystem::path& folder,
                                                  const std::string& pattern);

/// Tells without reading it whether a set can be read: its folder, with all its files in it, or
/// "built in" for a set that needs none.
/// Throws: ConfigError where no data set has that name.
std::optional<std::string> locate(const std::string& set, const std::string& dir);

/// What keeps a set that `locate` has not found from being read, for who chose `dir` by `option`.
std::string why_not_located(const std::string& set, const std::string& dir, const char* option);

/// Whether `dir` holds no file of the set, and can be looked into: they have moved.
bool moved_away(const std::string& set, const std::string& dir);

/// $EASGD_DATA; empty where it is not set.
std::string data_variable();

}  // namespace easgd
