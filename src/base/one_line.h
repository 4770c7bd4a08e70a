#pragma once

#include <string>
#include <string_view>

namespace easgd {

/// Text from outside as a message shows it: control characters, which names of files may have,
/// become blanks, and text of more than about `longest` bytes is cut.
std::string in_one_line(std::string_view text, std::size_t longest = std::string_view::npos);

}  // namespace easgd
