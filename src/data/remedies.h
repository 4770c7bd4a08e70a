// What can be done about a set that is not found.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "data/dataset_files.h"
#include "data/folder_search.h"
#include "data/search_root.h"

namespace easgd {

/// `tools/fetch SET FOLDER`, to be copied into a shell.
std::string fetch_command(const DatasetFiles& wanted, const std::filesystem::path& folder);

/// Only what then works.
std::string remedies(const std::string& set, const DatasetFiles& wanted, const SearchRoot& root,
                     const Search& found);

/// What lies where the set should be, and what to do; nullopt if nothing known does.
std::optional<std::string> lookalike_in(const Search& found, const DatasetFiles& wanted);

}  // namespace easgd
