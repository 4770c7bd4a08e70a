#pragma once

#include <string>

namespace easgd {

/// A message as one line: control characters, as names of files may have them, are written \\n and
/// \\x1b.
std::string in_one_line(const std::string& message);

}  // namespace easgd
