// Source: the constants that Fowler, Noll and Vo have published.
#pragma once

#include <cstdint>
#include <string_view>

namespace easgd {

/// FNV-1a with 64 bits: tells texts apart that nobody has made to be alike. `hash` is that of what
/// came before.
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace easgd
