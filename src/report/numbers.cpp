#include "report/numbers.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace easgd::report {

std::string short_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.5g}", value) : "null";
}

nlohmann::json rounded(double value) {
  if (!std::isfinite(value)) return {};
  return std::strtod(short_number(value).c_str(), nullptr);
}

std::string safe_in_script(const std::string& json) {
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace easgd::report
