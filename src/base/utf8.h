// Is a text UTF-8? Paths and file contents need not be.
#pragma once

#include <string_view>

namespace easgd {

/// Length in bytes of the longest beginning of `text` that is UTF-8: its size where all of it is.
std::size_t utf8_length(std::string_view text);

inline bool is_utf8(std::string_view text) {
  return utf8_length(text) == text.size();
}

}  // namespace easgd
