#pragma once

#include <string>
#include <string_view>

namespace easgd {

/// What a file is that is not what was expected, by its first bytes: "a gzip archive", "UTF-16
/// text" and the like; empty if it is not known.
std::string kind_of_file(std::string_view beginning);

}  // namespace easgd
