// Where the files of a data set are looked for.
//
// In the folder that `data.dir` names; where that is empty, in $EASGD_DATA; where that is empty, in
// ./data. Whichever it is may be the set's own folder or the parent of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/registry.h"

namespace easgd {

/// What a set's folder is called and what has to be in it. Registered under the set's name by its
/// reader; a set without one needs no files.
struct DatasetFiles {
  std::vector<std::string> folders;             ///< names that people give the folder, best first
  std::vector<std::vector<std::string>> files;  ///< for each file the names that it may have
};

/// The folder of a set.
/// Throws: DataError that lists the places looked in. A folder that is there but lacks files is
/// found; the reader then says which file is missing.
std::filesystem::path find_folder(const std::string& set, const DatasetFiles& wanted,
                                  const std::string& dir);

/// The first of `names` that is there.
/// Throws: DataError where none is, or where it is no regular file.
std::filesystem::path find_file(const std::filesystem::path& folder,
                                const std::vector<std::string>& names);

/// Tells without reading it whether a set can be read: its folder, with all its files in it, or
/// "built in" for a set that needs none.
/// Throws: ConfigError where no data set has that name.
std::optional<std::string> locate(const std::string& set, const std::string& dir);

}  // namespace easgd
