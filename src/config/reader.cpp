#include "config/reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/nearest.h"

namespace easgd::config {
namespace {

constexpr std::string_view kOverride = "--set ";

std::string shown(const toml::node& node) {
  std::ostringstream out;
  node.visit([&out](const auto& n) { out << n; });
  std::string text = out.str();
  std::ranges::replace(text, '\n', ' ');
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

/// "run.toml:12", or the override that the node came from.
std::string place_of(const toml::source_region& source) {
  const std::string origin = source.path ? *source.path : "";
  return origin.starts_with(kOverride) ? origin : fmt::format("{}:{}", origin, source.begin.line);
}

[[noreturn]] void fail(const toml::source_region& source, const std::string& key,
                       const std::string& message) {
  throw ConfigError(fmt::format("{}: {}: {}", place_of(source), key, message));
}

std::string in_bounds(Bounds bounds) {
  return fmt::format("in {}..{}", bounds.low, bounds.high);
}

/// Visits the fields of one TOML table; `finish` reports the keys that no field has read.
class TableReader final : public Fields {
 public:
  TableReader(const toml::table& table, std::string prefix, Places& places)
      : table_(table), prefix_(std::move(prefix)), places_(places) {}

  std::string place() const override { return place_of(table_.source()); }

  void text(const char* key, std::string& value, const char*) override {
    if (const toml::node* node = take(key)) {
      if (!node->is_string()) wrong_type(*node, key, "a string");
      value = **node->as_string();
    }
  }

  void choice(const char* key, std::string& value, const Words& allowed, const char*) override {
    const toml::node* node = take(key);
    if (!node) {
      if (value.empty()) {
        fail(table_.source(), full(key),
             fmt::format("missing; expected one of {}", fmt::join(allowed, ", ")));
      }
      return;
    }
    if (!node->is_string()) wrong_type(*node, key, "a string");
    const std::string word = **node->as_string();
    if (std::find(allowed.begin(), allowed.end(), word) == allowed.end()) {
      fail(node->source(), full(key),
           fmt::format("expected one of {}; found \"{}\"{}", fmt::join(allowed, ", "), word,
                       did_you_mean(word, allowed)));
    }
    value = word;
  }

  void integer(const char* key, std::int64_t& value, Bounds bounds, const char*) override {
    if (const toml::node* node = take(key)) {
      value = checked_integer(*node, key, bounds);
    } else if (double(value) < bounds.low) {
      missing_ = {full(key), "missing; expected an integer " + in_bounds(bounds)};
    }
  }

  void integer(const char* key, std::optional<std::int64_t>& value, Bounds bounds,
               const char*) override {
    if (const toml::node* node = take(key)) value = checked_integer(*node, key, bounds);
  }

  void number(const char* key, double& value, Bounds bounds, const char*) override {
    if (const toml::node* node = take(key)) value = checked_number(*node, key, bounds);
  }

  void number(const char* key, std::optional<double>& value, Bounds bounds, const char*) override {
    if (const toml::node* node = take(key)) value = checked_number(*node, key, bounds);
  }

  void flag(const char* key, bool& value, const char*) override {
    if (const toml::node* node = take(key)) {
      if (!node->is_boolean()) wrong_type(*node, key, "true or false");
      value = **node->as_boolean();
    }
  }

  void numbers(const char* key, std::vector<double>& value, Bounds bounds, const char*) override {
    if (const toml::node* node = take(key)) {
      if (!node->is_array()) wrong_type(*node, key, "a list of numbers");
      value.clear();
      for (const toml::node& item : *node->as_array()) {
        value.push_back(checked_number(item, key, bounds));
      }
    }
  }

  void words(const char* key, Words& value, const char*) override {
    if (const toml::node* node = take(key)) {
      value.clear();
      if (const toml::array* list = node->as_array()) {
        for (const toml::node& item : *list) value.push_back(checked_word(item, key));
      } else {
        value.push_back(checked_word(*node, key));
      }
    }
  }

  void table(const char* key, const std::function<void(Fields&)>& fields, const char*) override {
    const toml::node* node = take(key);
    if (node && !node->is_table()) wrong_type(*node, key, "a table");
    static const toml::table kEmpty;
    TableReader inner(node ? *node->as_table() : kEmpty, full(key) + ".", places_);
    fields(inner);
    inner.finish();
  }

  void tables(const char* key, std::size_t,
              const std::function<void(Fields&, std::size_t)>& element, const char*) override {
    const toml::node* node = take(key);
    if (!node) return;
    const toml::array* list = node->as_array();
    if (!list) wrong_type(*node, key, fmt::format("tables, each headed [[{}]]", full(key)));
    for (std::size_t i = 0; i < list->size(); ++i) {
      const toml::table* item = list->get(i)->as_table();
      if (!item) wrong_type(*list->get(i), key, "a table");
      TableReader inner(*item, fmt::format("{}[{}].", full(key), i), places_);
      element(inner, i);
      inner.finish();
    }
  }

  void finish() const {
    for (const auto& [key, node] : table_) {
      const std::string name(key.str());
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      std::string message = "unknown key" + did_you_mean(name, known_);
      if (nearest(name, known_).empty()) {
        message += fmt::format("; keys here: {}", fmt::join(known_, ", "));
      }
      fail(node.source(), full(name), message);
    }
    if (missing_) fail(table_.source(), missing_->first, missing_->second);
  }

 private:
  std::string full(const std::string& key) const { return prefix_ + key; }

  const toml::node* take(const char* key) {
    known_.push_back(key);
    const toml::node* node = table_.get(key);
    if (node && node->source().begin) places_.keys[full(key)] = place_of(node->source());
    return node;
  }

  [[noreturn]] void wrong_type(const toml::node& node, const char* key,
                               const std::string& expected) const {
    std::ostringstream type;
    type << node.type();
    fail(node.source(), full(key),
         fmt::format("expected {}; found the {} {}", expected, type.str(), shown(node)));
  }

  std::int64_t checked_integer(const toml::node& node, const char* key, Bounds bounds) const {
    if (!node.is_integer()) wrong_type(node, key, "an integer " + in_bounds(bounds));
    const std::int64_t value = **node.as_integer();
    check_bounds(node, key, double(value), bounds);
    return value;
  }

  double checked_number(const toml::node& node, const char* key, Bounds bounds) const {
    if (!node.is_number()) wrong_type(node, key, "a number " + in_bounds(bounds));
    const double value = node.value<double>().value();
    check_bounds(node, key, value, bounds);
    return value;
  }

  void check_bounds(const toml::node& node, const char* key, double value, Bounds bounds) const {
    if (!(value >= bounds.low && value <= bounds.high)) {
      fail(node.source(), full(key),
           fmt::format("expected a value {}; found {}", in_bounds(bounds), shown(node)));
    }
  }

  std::string checked_word(const toml::node& node, const char* key) const {
    if (node.is_string()) return **node.as_string();
    if (node.is_integer()) return std::to_string(**node.as_integer());
    wrong_type(node, key, "a word, an integer, or a list of these");
  }

  const toml::table& table_;
  std::string prefix_;
  Places& places_;
  Words known_;
  // Key and message. Reported last: a mistyped key, which is reported first, may be the cause.
  std::optional<std::pair<std::string, std::string>> missing_;
};

/// "algorithm.beta=" takes a key away, so that another may stand for it.
bool remove_key(toml::table& root, const std::string& text) {
  if (text.size() < 2 || text.back() != '=') return false;
  toml::table* table = &root;
  std::istringstream parts(text.substr(0, text.size() - 1));
  std::string part;
  std::getline(parts, part, '.');
  for (std::string next; std::getline(parts, next, '.'); part = next) {
    table = (*table)[part].as_table();
    if (!table) break;
  }
  if (!table || table->erase(part) == 0) {
    throw ConfigError(fmt::format("{}{}: there is no such key to take away", kOverride, text));
  }
  return true;
}

bool is_value(const std::string& text) {
  try {
    return !toml::parse("value = " + text).empty();
  } catch (const toml::parse_error&) {
    return false;
  }
}

/// An override as a table of its own: "algorithm.tau=4" is TOML; "data.set=mnist" is once quoted.
toml::table parse_override(const std::string& text) {
  const std::string origin = std::string(kOverride) + text;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw ConfigError(origin + ": expected key=value, as in algorithm.tau=4");
  }
  const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
  bool too_long = false;  // for an integer: the range is told where the value is read
  try {
    return toml::parse(text, origin);
  } catch (const toml::parse_error&) {
    const bool bare_word = value.find_first_of("[]{}\"'=\n\\") == value.npos;
    const bool number = value.find_first_not_of("+-.0123456789") == value.npos;
    too_long = number && !is_value(value) && is_value(value + ".0");
    if (!bare_word || (number && !is_value(value) && !too_long)) {
      throw ConfigError(fmt::format("{}: expected a TOML value; found {}", origin, value));
    }
  }
  try {
    return toml::parse(too_long ? text + ".0" : key + " = \"" + value + "\"", origin);
  } catch (const toml::parse_error&) {
    throw ConfigError(origin + ": expected key=value, as in algorithm.tau=4");
  }
}

/// A dotted key changes one value of a table, an inline table takes its place. Nodes are moved, not
/// copied: a moved node keeps the place that errors point to.
void merge(toml::table& into, toml::table&& from) {
  for (auto&& [key, node] : from) {
    toml::table* old = into[key.str()].as_table();
    if (old && node.is_table() && !node.as_table()->is_inline()) {
      merge(*old, std::move(*node.as_table()));
    } else {
      into.insert_or_assign(key.str(), std::move(node));
    }
  }
}

}  // namespace

void at_places(const Places& places, const std::function<void()>& work) {
  try {
    work();
  } catch (const KeyError& e) {
    const auto it = places.keys.find(e.key());
    throw ConfigError(
        fmt::format("{}: {}", it == places.keys.end() ? places.origin : it->second, e.what()));
  }
}

Places read_text(const std::string& text, const std::string& origin,
                 const std::vector<std::string>& overrides,
                 const std::function<void(Fields&)>& fields, const std::string& expected) {
  Places places{origin, {}};
  toml::table root;
  try {
    root = toml::parse(text, origin);
  } catch (const toml::parse_error& e) {
    std::string message(e.description());
    std::replace(message.begin(), message.end(), '\n', ' ');
    throw ConfigError(
        fmt::format("{}:{}: not valid TOML: {}", origin, e.source().begin.line, message));
  }
  if (root.empty() && overrides.empty()) {
    throw ConfigError(fmt::format("{}: is empty; expected {}", origin, expected));
  }
  for (const std::string& change : overrides) {
    if (!remove_key(root, change)) merge(root, parse_override(change));
  }
  TableReader reader(root, "", places);
  fields(reader);
  reader.finish();
  return places;
}

Places read_file(const std::string& path, const std::vector<std::string>& overrides,
                 const std::function<void(Fields&)>& fields, const std::string& expected) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    const bool of_run =
        std::filesystem::exists(std::filesystem::path(path) / "config.toml", ignored);
    throw ConfigError(path + ": is a folder; expected a TOML file" +
                      (of_run ? ", as the config.toml in it" : ""));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ConfigError(path + ": cannot be opened; expected a TOML file");
  std::ostringstream text;
  text << file.rdbuf();
  return read_text(text.str(), path, overrides, fields, expected);
}

}  // namespace easgd::config
