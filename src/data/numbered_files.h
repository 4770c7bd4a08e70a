// Files that are numbered: of the pattern data_batch_#.bin, with any number for its #.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace easgd {

/// Files of `folder` called `pattern`, by their number.
/// Throws: DataError if the folder cannot be read, or what is there is no file or has no number.
std::vector<std::filesystem::path> numbered_files(const std::filesystem::path& folder,
                                                  const std::string& pattern);

bool is_pattern(const std::string& name);

/// Whether `folder` has anything of that pattern; if it cannot be listed, `error` says why.
bool has_numbered(const std::filesystem::path& folder, const std::string& pattern,
                  std::error_code& error);

}  // namespace easgd
