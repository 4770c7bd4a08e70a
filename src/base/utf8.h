// Is text that came from outside UTF-8?
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace easgd {

/// Length in bytes of the longest beginning of `text` that is UTF-8: its size if all of it is.
std::size_t utf8_length(std::string_view text);

inline bool is_utf8(std::string_view text) {
  return utf8_length(text) == text.size();
}

/// The same text, with each byte that is of no character as "\xE9".
std::string escaped_as_utf8(std::string_view text);

}  // namespace easgd
