// Text that came from outside: is it UTF-8, and how does a message show it?
#pragma once

#include <string>
#include <string_view>

namespace easgd {

/// Length in bytes of the longest beginning of `text` that is UTF-8: its size where all of it is.
std::size_t utf8_length(std::string_view text);

inline bool is_utf8(std::string_view text) {
  return utf8_length(text) == text.size();
}

/// For messages: control characters, as names of files may have them, as blanks, and no more than some
/// `longest` bytes.
std::string in_one_line(std::string_view text, std::size_t longest = std::string_view::npos);

}  // namespace easgd
