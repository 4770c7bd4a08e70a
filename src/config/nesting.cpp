#include "config/nesting.h"

#include <fmt/format.h>

#include "base/error.h"

namespace easgd::config {

void check_nesting(std::string_view text, const std::string& origin) {
  constexpr std::size_t kMost = 200;
  std::size_t line = 1, dots = 0;
  for (const char c : text) {
    if (c == '.' && ++dots > kMost) {
      throw ConfigError(
          fmt::format("{}:{}: expected names of up to {} parts; found one with more dots", origin,
                      line, kMost));
    }
    line += c == '\n';
    if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) dots = 0;
  }
}

}  // namespace easgd::config
