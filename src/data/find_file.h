// The files of a set in its folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset_files.h"

namespace easgd {

/// The first of `names` that is a file, if any is.
/// Throws: DataError if something else has one of the names, or nothing can be said of it.
std::optional<std::filesystem::path> look_for_file(const std::filesystem::path& folder,
                                                   const std::vector<std::string>& names);

/// The same. Throws: DataError, too, if none is there.
std::filesystem::path find_file(const std::filesystem::path& folder,
                                const std::vector<std::string>& names, const DatasetFiles& set);

/// Throws: DataError if a file of the set is missing or may not be read.
void check_files(const std::filesystem::path& folder, const DatasetFiles& wanted);

}  // namespace easgd
