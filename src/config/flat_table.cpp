#include "config/flat_table.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/one_line.h"
#include "base/unreadable.h"
#include "config/toml.h"
#include "config/toml_check.h"
#include "config/toml_text.h"
#include "config/writer.h"

namespace easgd::config {
namespace {

using Flat = std::map<std::string, std::string>;

/// A word stands for itself; one that would not fit into a line is written as in TOML.
std::string text_of(const std::string& word) {
  return in_one_line(word) == word ? word : quoted(word);
}

std::string text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text_of(**text);
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", **number);
  return in_one_line(toml_of(node));
}

void flatten(const toml::table& table, const std::string& prefix, Flat& flat);

void flatten(const toml::node& node, const std::string& key, Flat& flat) {
  const toml::array* list = node.as_array();
  if (const toml::table* table = node.as_table()) {
    flatten(*table, key + ".", flat);
  } else if (list && !list->empty() && list->is_homogeneous(toml::node_type::table)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      flatten(*list->get(i)->as_table(), fmt::format("{}[{}].", key, i), flat);
    }
  } else {
    flat[key] = text_of(node);
  }
}

void flatten(const toml::table& table, const std::string& prefix, Flat& flat) {
  for (const auto& [key, node] : table) flatten(node, prefix + std::string(key.str()), flat);
}

}  // namespace

std::map<std::string, std::string> flat_table(const std::filesystem::path& file) {
  if (const std::string why = why_unreadable(file, kLongestText); !why.empty()) {
    throw ConfigError(fmt::format("{}: {}; expected a TOML file", file.string(), why));
  }
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  check_text(text.view(), file.string());
  try {
    Flat flat;
    flatten(toml::parse(text.view(), file.string()), "", flat);
    return flat;
  } catch (const toml::parse_error& e) {
    throw ConfigError(fmt::format("{}:{}: not valid TOML: {}", file.string(), e.source().begin.line,
                                  in_one_line(std::string(e.description()))));
  }
}

}  // namespace easgd::config
