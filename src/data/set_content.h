// What tells the data of two folders apart where the name of the set does not.
#pragma once

#include <string>

namespace easgd {

/// Of a set of one's own files: a hash of their sizes and of their first and last megabyte. Empty
/// for a published set, and for one that needs no files.
/// Throws: KeyError if no data set has that name; DataError if its files are not found.
std::string set_content(const std::string& set, const std::string& dir);

}  // namespace easgd
