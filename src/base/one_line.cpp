#include "base/one_line.h"

#include <algorithm>

#include "base/utf8.h"

namespace easgd {

std::string in_one_line(std::string_view text, std::size_t longest) {
  std::string line(text);
  if (text.size() > longest) {
    // Text in UTF-8 is not cut within a character.
    const std::size_t whole = utf8_length(text.substr(0, longest));
    line = line.substr(0, whole + 3 < longest ? longest : whole) + "...";
  }
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

}  // namespace easgd
