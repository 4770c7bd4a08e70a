#include "base/columns.h"

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace easgd {
namespace {

struct Range {
  std::uint32_t first, last;
};

// The blocks of Unicode's East Asian Width (W, F) and of its marks that are common in names.
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},  {0xa960, 0xa97c}, {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},  {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd}};
constexpr Range kNone[] = {{0x300, 0x36f},   {0x200b, 0x200f}, {0x202a, 0x202e},
                           {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};

template <std::size_t Count>
bool is_in(const Range (&ranges)[Count], std::uint32_t character) {
  return std::ranges::any_of(
      ranges, [character](Range r) { return character >= r.first && character <= r.last; });
}

struct Character {
  std::uint32_t number;
  std::size_t bytes;
};

/// The first of a text; it is not empty.
Character first_of(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  const std::size_t length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
  if (byte < 0x20 || byte == 0x7f || utf8_length(text.substr(0, length)) != length) return {'?', 1};
  std::uint32_t number = length == 1 ? byte : byte & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) number = number << 6 | (text[i] & 0x3f);
  return {number, length};
}

}  // namespace

std::string cut_to_columns(std::string_view text, std::size_t columns) {
  std::string result;
  while (!text.empty()) {
    const auto [number, bytes] = first_of(text);
    const std::size_t width = is_in(kNone, number) ? 0 : is_in(kWide, number) ? 2 : 1;
    if (width > columns) break;
    columns -= width;
    result += number == '?' ? "?" : text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return result;
}

}  // namespace easgd
