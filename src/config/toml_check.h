// What a TOML text must not hold before the library may read it.
#pragma once

#include <string>
#include <string_view>

namespace easgd::config {

/// A name with a million dots makes a million tables in each other, and whoever walks through them,
/// or gives them back, needs stack for each. A letter beyond ASCII that stands in no string and no
/// comment is an error in TOML, but leads the library (3.3) to where it says that nobody comes; so
/// does one that is none, the first behind a backslash in a string of several lines.
/// Throws: ConfigError with file and line.
void check_text(std::string_view text, const std::string& origin);

}  // namespace easgd::config
