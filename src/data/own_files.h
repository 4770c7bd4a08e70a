// Which files a set of one's own is made of.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace easgd {

/// In an order of their roles and numbers. None for a published set, whose name says what is in its
/// files, and for one that needs no files.
/// Throws: KeyError if no data set has that name; DataError if its files are not found.
std::vector<std::filesystem::path> own_files(const std::string& set, const std::string& dir);

}  // namespace easgd
