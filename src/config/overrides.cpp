#include "config/overrides.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/one_line.h"
#include "config/toml_check.h"
#include "config/writer.h"

namespace easgd::config {
namespace {

class KindCollector final : public Fields {
 public:
  KindCollector(std::string prefix, Kinds& kinds) : prefix_(std::move(prefix)), kinds_(kinds) {}

  void any(const char* key, std::optional<Value>&, const char*, const char*) override {
    put(key, Kind::list);
  }
  void text(const char* key, std::string&, const char*) override { put(key, Kind::text); }
  void choice(const char* key, std::string&, const Words&, const char*) override {
    put(key, Kind::word);
  }
  void integer(const char* key, std::int64_t&, Bounds, const char*) override {
    put(key, Kind::integer);
  }
  void integer(const char* key, std::optional<std::int64_t>&, Bounds, const char*) override {
    put(key, Kind::integer);
  }
  void sides(const char* key, Sides&, Bounds, const char*) override { put(key, Kind::list); }
  void number(const char* key, double&, Bounds, const char*) override { put(key, Kind::number); }
  void number(const char* key, std::optional<double>&, Bounds, const char*) override {
    put(key, Kind::number);
  }
  void number_or_flag(const char* key, double&, std::optional<bool>&, Bounds,
                      const char*) override {
    put(key, Kind::number);
  }
  void flag(const char* key, bool&, const char*) override { put(key, Kind::flag); }
  void numbers(const char* key, std::vector<double>&, Bounds, const char*) override {
    put(key, Kind::list);
  }
  void words(const char* key, Words&, const char*) override { put(key, Kind::words); }
  void table(const char* key, const std::function<void(Fields&)>& fields, const char*) override {
    put(key, Kind::table);
    KindCollector inner(prefix_ + key + ".", kinds_);
    fields(inner);
  }
  void tables(const char* key, std::size_t, const std::function<void(Fields&, std::size_t)>&,
              const char*) override {
    put(key, Kind::table);
  }

 private:
  void put(const char* key, Kind kind) { kinds_[prefix_ + key] = kind; }

  std::string prefix_;
  Kinds& kinds_;
};

constexpr std::size_t kLongestShown = 200;  // bytes of an override in a message

using Path = std::vector<std::string>;

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// An override on its way into the configuration.
struct Override {
  std::string origin;  ///< for messages: it, in one line
  std::string key, value;
  Path path;  ///< the parts of the key
};

/// The node at `path` if the tables on the way hold nothing else.
toml::node* only_node(toml::table& table, const Path& path) {
  toml::node* node = &table;
  for (const std::string& part : path) {
    toml::table* inside = node->as_table();
    if (!inside || inside->size() != 1) return nullptr;
    node = inside->get(part);
    if (!node) return nullptr;
  }
  return node;
}

/// The key with a TOML value if `value` is one, and one only.
std::optional<toml::table> as_toml(const Override& o, const std::string& value) {
  try {
    const std::string text = o.key + " = " + value;
    check_text(text, o.origin);
    toml::table table = toml::parse(text, o.origin);
    if (only_node(table, o.path)) return table;
  } catch (const toml::parse_error&) {
  } catch (const ConfigError&) {
  }
  return std::nullopt;
}

/// The key with its value as a string. What TOML cannot write, a string in memory can hold.
toml::table as_string(const Override& o, const std::string& value) {
  toml::table table = toml::parse(o.key + " = \"\"", o.origin);
  **only_node(table, o.path)->as_string() = value;
  return table;
}

[[noreturn]] void refuse(const Override& o, const std::string& why) {
  throw ConfigError(fmt::format("{}: {}: {}", o.origin, in_one_line(trimmed(o.key), kLongestShown),
                                in_one_line(why, 2 * kLongestShown)));
}

toml::table text_of(const Override& o) {
  const std::string bare = trimmed(o.value);
  const bool quote = bare.starts_with('"') || bare.starts_with('\'');
  if (!quote) return as_string(o, o.value);
  if (auto table = as_toml(o, bare); table && only_node(*table, o.path)->is_string()) {
    return std::move(*table);
  }
  if (bare.size() > 1 && bare.back() == bare.front()) {
    refuse(o,
           fmt::format("found {}, which is not as TOML has text in quotes (with \\\" and \\\\ in "
                       "them); without quotes the characters are taken as they are",
                       bare));
  }
  return as_string(o, o.value);
}

/// "[cpu, cuda:0]" is ["cpu", "cuda:0"]: shells take quotes away.
toml::table words_of(const Override& o) {
  const std::string bare = trimmed(o.value);
  if (!bare.starts_with('[')) return text_of(o);
  if (auto table = as_toml(o, bare)) return std::move(*table);
  if (bare.back() == ']' && bare.find_first_of("[]{}\"'=\\\n", 1) == bare.size() - 1) {
    std::string list;
    std::istringstream parts(bare.substr(1, bare.size() - 2));
    for (std::string word; std::getline(parts, word, ',');) list += quoted(trimmed(word)) + ",";
    if (auto table = as_toml(o, "[" + list + "]")) return std::move(*table);
  }
  refuse(o, fmt::format("expected a word or a list of words, as in {}=[\"one\", \"two\"]; found {}",
                        trimmed(o.key), bare));
}

/// Other kinds, and keys that nobody has declared.
toml::table value_of(const Override& o, std::optional<Kind> kind) {
  if (auto table = as_toml(o, o.value)) return std::move(*table);
  // An integer of too many digits: whoever reads the value reports the range.
  const bool digits = o.value.find_first_not_of("+-0123456789") == o.value.npos;
  if ((kind == Kind::number || kind == Kind::integer) && digits) {
    if (auto table = as_toml(o, o.value + ".0")) return std::move(*table);
  }
  return as_string(o, o.value);
}

void remove_key(toml::table& root, const Path& path, const std::string& origin) {
  toml::table* table = &root;
  for (std::size_t i = 0; table && i + 1 < path.size(); ++i) {
    toml::node* next = table->get(path[i]);
    table = next ? next->as_table() : nullptr;
  }
  if (!table || table->erase(path.back()) == 0) {
    throw ConfigError(origin + ": there is no such key to take away");
  }
}

/// Nodes are moved, not copied: a moved node keeps the location that errors point to.
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

/// The parts of a dotted key; none if it is no key.
Path path_of(const std::string& key) {
  toml::table table;
  try {
    const std::string text = key + " = \"\"";
    check_text(text, key);
    table = toml::parse(text);
  } catch (const toml::parse_error&) {
    return {};
  } catch (const ConfigError&) {
    return {};
  }
  Path path;
  for (toml::node* node = &table; node->is_table(); node = &node->as_table()->begin()->second) {
    if (node->as_table()->size() != 1) return {};
    path.emplace_back(node->as_table()->begin()->first.str());
  }
  return path;
}

Override split(const std::string& text) {
  Override o{std::string(kOverride) + in_one_line(text, kLongestShown),
             text.substr(0, text.find('=')),
             "",
             {}};
  const auto fail = [&o] {
    throw ConfigError(o.origin + ": expected key=value, as in algorithm.tau=4");
  };
  if (o.key.empty() || o.key.size() == text.size()) fail();
  o.value = text.substr(o.key.size() + 1);
  if (o.key.ends_with(' ')) o.value = trimmed(o.value);  // written as in a file
  o.path = path_of(o.key);
  if (o.path.empty()) fail();
  return o;
}

}  // namespace

Kinds kinds_of(const std::function<void(Fields&)>& fields) {
  Kinds kinds;
  KindCollector collector("", kinds);
  fields(collector);
  return kinds;
}

void apply_override(toml::table& root, const std::string& text, const Kinds& kinds) {
  Override o = split(text);
  if (trimmed(o.value).empty()) return remove_key(root, o.path, o.origin);
  const auto found = kinds.find(fmt::format("{}", fmt::join(o.path, ".")));
  const auto kind = found == kinds.end() ? std::nullopt : std::optional(found->second);
  if (kind == Kind::word) o.value = trimmed(o.value);
  const bool is_text = kind == Kind::text || kind == Kind::word;
  merge(root, is_text ? text_of(o) : kind == Kind::words ? words_of(o) : value_of(o, kind));
}

void apply_change(toml::table& root, const Change& change) {
  const Path path = path_of(change.key);
  const std::string place = fmt::format("{}:{}: {}", change.origin, change.line, change.key);
  if (path.empty()) throw ConfigError(place + ": expected a dotted key, as algorithm.tau");
  if (change.toml.empty()) return remove_key(root, path, place);
  // As many lines come before it as in the other file, so that its place is right.
  const std::string above(std::max<std::size_t>(change.line, 1) - 1, '\n');
  merge(root, toml::parse(above + change.key + " = " + change.toml, change.origin));
}

}  // namespace easgd::config
