#include "config/toml_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>
#include <vector>

#include "config/writer.h"

namespace easgd::config {
namespace {

/// A key in quotes, if it needs them.
std::string key_of(std::string_view key) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  const bool plain = !key.empty() && std::ranges::all_of(key, is_plain);
  return plain ? std::string(key) : quoted(std::string(key));
}

}  // namespace

std::string toml_of(const toml::node& node) {
  std::vector<std::string> parts;
  if (const toml::array* list = node.as_array()) {
    for (const toml::node& item : *list) parts.push_back(toml_of(item));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, item] : *table) {
      parts.push_back(fmt::format("{} = {}", key_of(key.str()), toml_of(item)));
    }
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  if (node.is_string()) return quoted(**node.as_string());
  if (node.is_floating_point()) return exact_text(**node.as_floating_point());
  std::ostringstream out;
  node.visit([&out](const auto& n) { out << n; });
  return out.str();
}

}  // namespace easgd::config
