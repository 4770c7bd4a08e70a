#include "base/utf8.h"

#include <fmt/format.h>

namespace easgd {
namespace {

/// Bytes of the character that begins `text`; 0 if none does. A longer form than a character needs,
/// a half of UTF-16's pairs and a number above U+10FFFF are no characters.
std::size_t character_length(std::string_view text) {
  const auto byte = [text](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto follows = [&byte](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    const bool too_long = first == 0xe0 && byte(1) < 0xa0, half = first == 0xed && byte(1) >= 0xa0;
    return follows(1) && follows(2) && !too_long && !half ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    const bool too_long = first == 0xf0 && byte(1) < 0x90, above = first == 0xf4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !too_long && !above ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    const std::size_t next = character_length(text.substr(length));
    if (next == 0) break;
    length += next;
  }
  return length;
}

std::string escaped_as_utf8(std::string_view text) {
  std::string escaped;
  for (;;) {
    const std::size_t length = utf8_length(text);
    escaped += text.substr(0, length);
    if (length == text.size()) return escaped;
    escaped += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[length]));
    text.remove_prefix(length + 1);
  }
}

}  // namespace easgd
