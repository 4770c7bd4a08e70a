#include "config/reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/file_kind.h"
#include "base/nearest.h"
#include "base/one_line.h"
#include "base/unreadable.h"
#include "base/utf8.h"
#include "config/overrides.h"
#include "config/toml.h"
#include "config/toml_check.h"
#include "config/toml_text.h"
#include "config/writer.h"

namespace easgd::config {
namespace {

constexpr std::size_t kLongestFile = 64 << 20;  // bytes; a configuration has some thousand
constexpr std::size_t kLongestKey = 200, kLongestMessage = 1500;  // bytes

std::string shown(const toml::node& node) {
  return in_one_line(toml_of(node), 60);
}

/// As "007" and ".5" do, which TOML does not take, in an override.
bool looks_like_a_number(const toml::node& node) {
  if (!node.is_string()) return false;
  const std::string& text = **node.as_string();
  return text.find_first_of("0123456789") != text.npos &&
         text.find_first_not_of("+-.0123456789eE") == text.npos;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  char part[1 << 16];
  while (file.read(part, sizeof part), file.gcount() > 0) {
    bytes.append(part, std::size_t(file.gcount()));
    if (bytes.size() > kLongestFile) {
      throw ConfigError(
          fmt::format("{}: has more than {} bytes; expected a TOML file", path, kLongestFile));
    }
  }
  if (file.bad() || !file.is_open()) {
    throw ConfigError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  return bytes;
}

/// "run.toml:12", or the override that the node came from.
std::string location_of(const toml::source_region& source) {
  const std::string origin = source.path ? *source.path : "";
  return origin.starts_with(kOverride) ? origin : fmt::format("{}:{}", origin, source.begin.line);
}

[[noreturn]] void fail(const toml::source_region& source, const std::string& key,
                       const std::string& message) {
  throw ConfigError(fmt::format("{}: {}: {}", location_of(source), in_one_line(key, kLongestKey),
                                in_one_line(message, kLongestMessage)));
}

std::string in_bounds(Bounds bounds) {
  return fmt::format("in {}..{}", bounds.low, bounds.high);
}

Value value_of(const toml::node& node) {
  Value value;
  value.toml = toml_of(node);
  value.text = node.is_string() ? **node.as_string() : value.toml;
  if (node.is_number()) value.number = node.value<double>();
  value.is_integer = node.is_integer();
  value.origin = node.source().path ? *node.source().path : "";
  value.line = node.source().begin.line;
  if (const toml::array* list = node.as_array()) {
    value.kind = Value::Kind::list;
    for (const toml::node& item : *list) value.items.push_back(value_of(item));
  }
  if (const toml::table* table = node.as_table()) {
    value.kind = Value::Kind::table;
    value.in_braces = table->is_inline();
    std::vector<std::pair<toml::source_position, std::string>> order;
    for (const auto& [key, item] : *table) {
      order.emplace_back(key.source().begin, std::string(key.str()));
    }
    std::ranges::sort(order, [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [place, key] : order) {
      value.members.emplace_back(key, value_of(*table->get(key)));
    }
  }
  return value;
}

/// Visits the fields of one TOML table; `finish` reports the keys that no field has read.
class TableReader final : public Fields {
 public:
  TableReader(const toml::table& table, std::string prefix, Locations& locations)
      : table_(table), prefix_(std::move(prefix)), locations_(locations) {}

  std::string location() const override { return location_of(table_.source()); }

  void synonym(const char* word, const char* key) override { synonyms_[word] = key; }

  void foreign(const char* key) override {
    if (take(key)) locations_.foreign.push_back(full(key));
    hide(key);
  }

  void foreign_table(const char* key, const std::function<void(Fields&)>& fields) override {
    if (table_.get(key)) table(key, fields, "");
    hide(key);
  }

  void any(const char* key, std::optional<Value>& value, const char*, const char*) override {
    if (const toml::node* node = take(key)) value = value_of(*node);
  }

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
           fmt::format("expected one of {}; found \"{}\"{}", fmt::join(allowed, ", "),
                       in_one_line(word, 60), did_you_mean(word, allowed)));
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

  void sides(const char* key, Sides& value, Bounds bounds, const char*) override {
    const toml::node* node = take(key);
    const std::string expected = "an integer " + in_bounds(bounds);
    if (!node) {
      if (double(value.height) < bounds.low)
        missing_ = {full(key), "missing; expected " + expected};
    } else if (const toml::array* list = node->as_array()) {
      if (list->size() != 2) wrong_type(*node, key, expected + ", or two: [height, width]");
      value = {checked_integer((*list)[0], key, bounds), checked_integer((*list)[1], key, bounds)};
    } else {
      value.height = value.width = checked_integer(*node, key, bounds);
    }
  }

  void number(const char* key, double& value, Bounds bounds, const char*) override {
    if (const toml::node* node = take(key)) value = checked_number(*node, key, bounds);
  }

  void number(const char* key, std::optional<double>& value, Bounds bounds, const char*) override {
    if (const toml::node* node = take(key)) value = checked_number(*node, key, bounds);
  }

  void number_or_flag(const char* key, double& value, std::optional<bool>& flag, Bounds bounds,
                      const char*) override {
    const toml::node* node = take(key);
    if (!node) return;
    if (node->is_boolean()) {
      flag = **node->as_boolean();
    } else {
      value = checked_number(*node, key, bounds);
    }
  }

  void flag(const char* key, bool& value, const char*) override {
    if (const toml::node* node = take(key)) {
      if (!node->is_boolean()) wrong_type(*node, key, "true or false");
      value = **node->as_boolean();
    }
  }

  void numbers(const char* key, std::vector<double>& value, Bounds bounds, const char*) override {
    if (const toml::node* node = take(key)) {
      if (!node->is_array()) wrong_type(*node, key, "a list of numbers, as in [0.5, 0.25]");
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
    if (node && !node->is_table()) wrong_type(*node, key, R"(a table, as in {a = 2, b = "text"})");
    static const toml::table kEmpty;
    TableReader inner(node ? *node->as_table() : kEmpty, full(key) + ".", locations_);
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
      TableReader inner(*item, fmt::format("{}[{}].", full(key), i), locations_);
      element(inner, i);
      inner.finish();
    }
  }

  void finish() const {
    for (const auto& [key, node] : table_) {
      const std::string name(key.str());
      if (is_declared(name)) continue;
      const auto synonym = synonyms_.find(name);
      std::string message = "unknown key" + did_you_mean(name, known_);
      if (synonym != synonyms_.end()) {
        message = fmt::format("is called \"{}\" here", synonym->second);
      } else if (nearest(name, known_).empty()) {
        message += fmt::format("; keys here: {}", fmt::join(known_, ", "));
      }
      fail(node.source(), full(name), message);
    }
    if (missing_) fail(table_.source(), missing_->first, missing_->second);
  }

 private:
  std::string full(const std::string& key) const { return prefix_ + key; }

  /// Nobody is to be pointed to it.
  void hide(const char* key) {
    std::erase(known_, key);
    hidden_.push_back(key);
  }

  bool is_declared(const std::string& name) const {
    return std::ranges::count(known_, name) + std::ranges::count(hidden_, name) > 0;
  }

  const toml::node* take(const char* key) {
    known_.push_back(key);
    const toml::node* node = table_.get(key);
    if (node && node->source().begin) locations_.keys[full(key)] = location_of(node->source());
    return node;
  }

  [[noreturn]] void wrong_type(const toml::node& node, const char* key,
                               const std::string& expected) const {
    std::ostringstream type;
    type << node.type();
    fail(node.source(), full(key),
         fmt::format("expected {}; found the {} {}{}", expected, type.str(), shown(node),
                     looks_like_a_number(node) ? "; TOML writes numbers as 7, 0.5 and 1e-3" : ""));
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
    wrong_type(node, key, R"(a word, an integer, or a list of these, as in ["one", "two"])");
  }

  const toml::table& table_;
  std::string prefix_;
  Locations& locations_;
  Words known_, hidden_;
  std::map<std::string, std::string> synonyms_;
  // Key and message. Reported last: a mistyped key, which is reported first, may be the cause.
  std::optional<std::pair<std::string, std::string>> missing_;
};

/// The line of a text that a byte of it is in.
std::size_t line_at(const std::string& text, std::size_t byte) {
  return 1 + std::size_t(std::count(text.begin(), text.begin() + std::ptrdiff_t(byte), '\n'));
}

/// A carriage return that no line feed follows, as in files of old Macs or after two conversions.
std::size_t lone_return(const std::string& text) {
  std::size_t at = text.find('\r');
  while (at != text.npos && at + 1 < text.size() && text[at + 1] == '\n')
    at = text.find('\r', at + 1);
  return at;
}

/// Says what a file is that is no text in UTF-8.
void check_is_text(const std::string& text, const std::string& origin) {
  const std::string kind = kind_of_file(text);
  if (kind.ends_with(" text")) {
    throw ConfigError(fmt::format("{}: is {}; save it as UTF-8", origin, kind));
  }
  if (!kind.empty())
    throw ConfigError(fmt::format("{}: is {}; expected a TOML file", origin, kind));
  if (const std::size_t nul = text.find('\0'); nul != text.npos) {
    throw ConfigError(fmt::format("{}:{}: not valid TOML: a NUL byte; is it a binary file?", origin,
                                  line_at(text, nul)));
  }
  if (const std::size_t good = utf8_length(text); good < text.size()) {
    throw ConfigError(fmt::format(
        "{}:{}: not valid TOML: the byte 0x{:02x} is no UTF-8 there; save the file as UTF-8",
        origin, line_at(text, good), static_cast<unsigned char>(text[good])));
  }
}

toml::table parsed(const std::string& text, const std::string& origin) {
  check_is_text(text, origin);
  check_text(text, origin);
  try {
    return toml::parse(text, origin);
  } catch (const toml::parse_error& e) {
    if (const std::size_t at = lone_return(text); at != text.npos) {
      throw ConfigError(fmt::format(
          "{}:{}: not valid TOML: a carriage return without a line feed; save the file with LF or "
          "CR LF at the ends of lines",
          origin, line_at(text, at)));
    }
    std::string message(e.description());
    std::ranges::replace_if(
        message, [](unsigned char c) { return c < 0x20; }, ' ');
    throw ConfigError(
        fmt::format("{}:{}: not valid TOML: {}", origin, e.source().begin.line, message));
  }
}

}  // namespace

void at_locations(const Locations& locations, const std::function<void()>& work) {
  try {
    work();
  } catch (const KeyError& e) {
    const auto it = locations.keys.find(e.key());
    throw ConfigError(fmt::format("{}: {}",
                                  it == locations.keys.end() ? locations.origin : it->second,
                                  in_one_line(e.what(), kLongestMessage)));
  }
}

Locations read_text(const std::string& text, const std::string& origin, const Edits& edits,
                    const std::function<void(Fields&)>& fields, const std::string& expected) {
  Locations locations{origin, {}};
  toml::table root = parsed(text, origin);
  if (root.empty() && edits.changes.empty() && edits.overrides.empty()) {
    throw ConfigError(fmt::format("{}: is empty; expected {}", origin, expected));
  }
  for (const Change& change : edits.changes) apply_change(root, change);
  if (!edits.overrides.empty()) {
    const Kinds kinds = kinds_of(fields);
    for (const std::string& text : edits.overrides) apply_override(root, text, kinds);
  }
  TableReader reader(root, "", locations);
  fields(reader);
  reader.finish();
  return locations;
}

Locations read_file(const std::string& path, const Edits& edits,
                    const std::function<void(Fields&)>& fields, const std::string& expected) {
  if (const std::string why = why_unreadable(path); !why.empty()) {
    std::error_code ignored;
    const bool of_run =
        std::filesystem::exists(std::filesystem::path(path) / "config.toml", ignored);
    throw ConfigError(fmt::format("{}: {}; expected a TOML file{}", path, why,
                                  of_run ? ", as the config.toml in it" : ""));
  }
  return read_text(bytes_of(path), path, edits, fields, expected);
}

}  // namespace easgd::config
