#include "config/writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"

namespace easgd::config {
namespace {

std::string bracketed(const Fields::Words& words) {
  Fields::Words items;
  for (const std::string& word : words) items.push_back(quoted(word));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

/// A whole number may be written as an integer; "-0" alone would be the integer 0.
std::string exact(double value) {
  return value == 0 && std::signbit(value) ? "-0.0" : fmt::format("{}", value);
}

std::string bracketed(const std::vector<double>& values) {
  Fields::Words items;
  for (const double value : values) items.push_back(exact(value));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

/// Whoever writes values as TOML has them. `path` is that of the table they are in.
class ValueWriter : public Fields {
 public:
  explicit ValueWriter(std::string path) : path_(std::move(path)) {}

  void any(const char* key, std::optional<Value>& value, const char*, const char*) override {
    if (value) put(key, value->toml);
  }
  void text(const char* key, std::string& value, const char*) override {
    put(key, writable(key, value));
  }
  void choice(const char* key, std::string& value, const Words&, const char*) override {
    put(key, writable(key, value));
  }
  void integer(const char* key, std::int64_t& value, Bounds, const char*) override {
    put(key, std::to_string(value));
  }
  void integer(const char* key, std::optional<std::int64_t>& value, Bounds, const char*) override {
    if (value) put(key, std::to_string(*value));
  }
  void sides(const char* key, Sides& value, Bounds, const char*) override {
    put(key, value.is_square() ? std::to_string(value.height)
                               : fmt::format("[{}, {}]", value.height, value.width));
  }
  void number(const char* key, double& value, Bounds, const char*) override {
    put(key, exact(value));
  }
  void number(const char* key, std::optional<double>& value, Bounds, const char*) override {
    if (value) put(key, exact(*value));
  }
  void number_or_flag(const char* key, double& value, std::optional<bool>&, Bounds,
                      const char*) override {
    put(key, exact(value));
  }
  void flag(const char* key, bool& value, const char*) override {
    put(key, value ? "true" : "false");
  }
  void numbers(const char* key, std::vector<double>& value, Bounds, const char*) override {
    put(key, bracketed(value));
  }
  void words(const char* key, Words& value, const char*) override {
    for (const std::string& word : value) writable(key, word);
    put(key, bracketed(value));
  }

 protected:
  virtual void put(const char* key, const std::string& value) = 0;

  std::string full(const char* key) const { return path_.empty() ? key : path_ + "." + key; }

 private:
  std::string writable(const char* key, const std::string& text) const {
    if (is_utf8(text)) return quoted(text);
    throw KeyError(full(key), text +
                                  ": is no UTF-8, and config.toml can hold nothing else; "
                                  "give it a name that is");
  }

  std::string path_;
};

class TomlWriter final : public ValueWriter {
 public:
  using ValueWriter::ValueWriter;

  void table(const char* key, const std::function<void(Fields&)>& fields, const char*) override {
    TomlWriter inner(full(key));
    fields(inner);
    tables_ += fmt::format("\n[{}]\n{}", full(key), inner.result());
  }

  void tables(const char* key, std::size_t count,
              const std::function<void(Fields&, std::size_t)>& element, const char*) override {
    for (std::size_t i = 0; i < count; ++i) {
      TomlWriter inner(full(key));
      element(inner, i);
      tables_ += fmt::format("\n[[{}]]\n{}", full(key), inner.result());
    }
  }

  std::string result() const { return values_ + tables_; }

 private:
  void put(const char* key, const std::string& value) override {
    values_ += fmt::format("{} = {}\n", key, value);
  }

  std::string values_;
  std::string tables_;  // TOML wants a table's own values before its inner tables
};

class FlatWriter final : public ValueWriter {
 public:
  FlatWriter(std::string path, std::map<std::string, std::string>& values)
      : ValueWriter(std::move(path)), values_(values) {}

  void table(const char* key, const std::function<void(Fields&)>& fields, const char*) override {
    FlatWriter inner(full(key), values_);
    fields(inner);
  }

  void tables(const char* key, std::size_t count,
              const std::function<void(Fields&, std::size_t)>& element, const char*) override {
    for (std::size_t i = 0; i < count; ++i) {
      FlatWriter inner(fmt::format("{}[{}]", full(key), i), values_);
      element(inner, i);
    }
  }

 private:
  void put(const char* key, const std::string& value) override { values_[full(key)] = value; }

  std::map<std::string, std::string>& values_;
};

class HelpWriter final : public Fields {
 public:
  explicit HelpWriter(std::string prefix) : prefix_(std::move(prefix)) {}

  void any(const char* key, std::optional<Value>& value, const char* kind,
           const char* meaning) override {
    put(key, kind, value ? value->toml : "not given", meaning);
  }
  void text(const char* key, std::string& value, const char* meaning) override {
    put(key, "text", quoted(value), meaning);
  }
  void choice(const char* key, std::string& value, const Words& allowed,
              const char* meaning) override {
    put(key, fmt::format("{}", fmt::join(allowed, " | ")), value.empty() ? "" : quoted(value),
        meaning);
  }
  void integer(const char* key, std::int64_t& value, Bounds bounds, const char* meaning) override {
    put(key, "integer " + shown(bounds), double(value) < bounds.low ? "" : std::to_string(value),
        meaning);
  }
  void integer(const char* key, std::optional<std::int64_t>& value, Bounds bounds,
               const char* meaning) override {
    put(key, "integer " + shown(bounds), value ? std::to_string(*value) : "not given", meaning);
  }
  void sides(const char* key, Sides& value, Bounds bounds, const char* meaning) override {
    put(key, "integer " + shown(bounds) + ", or [height, width]",
        double(value.height) < bounds.low ? "" : std::to_string(value.height), meaning);
  }
  void number(const char* key, double& value, Bounds bounds, const char* meaning) override {
    put(key, "number " + shown(bounds), fmt::format("{}", value), meaning);
  }
  void number(const char* key, std::optional<double>& value, Bounds bounds,
              const char* meaning) override {
    put(key, "number " + shown(bounds), value ? fmt::format("{}", *value) : "not given", meaning);
  }
  void number_or_flag(const char* key, double& value, std::optional<bool>&, Bounds bounds,
                      const char* meaning) override {
    put(key, "number " + shown(bounds) + ", true or false", fmt::format("{}", value), meaning);
  }
  void flag(const char* key, bool& value, const char* meaning) override {
    put(key, "true | false", value ? "true" : "false", meaning);
  }
  void numbers(const char* key, std::vector<double>& value, Bounds bounds,
               const char* meaning) override {
    put(key, "list of numbers " + shown(bounds), bracketed(value), meaning);
  }
  void words(const char* key, Words& value, const char* meaning) override {
    put(key, "word or list of words", value.size() == 1 ? quoted(value[0]) : bracketed(value),
        meaning);
  }
  void table(const char* key, const std::function<void(Fields&)>& fields,
             const char* meaning) override {
    text_ += fmt::format("\n[{}{}]  {}\n", prefix_, key, meaning);
    HelpWriter inner(prefix_ + key + ".");
    fields(inner);
    text_ += inner.result();
  }
  void tables(const char* key, std::size_t, const std::function<void(Fields&, std::size_t)>&,
              const char* meaning) override {
    text_ += fmt::format("\n[[{}{}]]  {}\n", prefix_, key, meaning);
  }

  const std::string& result() const { return text_; }

 private:
  static std::string shown(Bounds bounds) { return fmt::format("{}..{}", bounds.low, bounds.high); }

  void put(const char* key, const std::string& type, const std::string& value,
           const char* meaning) {
    text_ += fmt::format("  {:<28} {}\n      {}; {}\n", prefix_ + key, meaning, type,
                         value.empty() ? "must be given" : "default " + value);
  }

  std::string prefix_;
  std::string text_;
};

}  // namespace

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string unquoted(const std::string& toml) {
  std::string_view text = toml;
  if (text.starts_with("[\"") && std::ranges::count(text, '"') == 2) {
    text = text.substr(1, text.size() - 2);
  }
  if (text.size() < 2 || !text.starts_with('"')) return std::string(text);
  text = text.substr(1, text.size() - 2);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escapes =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    result += text[escapes ? ++i : i];
  }
  return result;
}

std::string exact_text(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == text.npos ? text + ".0" : text;
}

std::string to_toml(const std::function<void(Fields&)>& fields) {
  TomlWriter writer("");
  fields(writer);
  return writer.result();
}

std::map<std::string, std::string> to_flat(const std::function<void(Fields&)>& fields) {
  std::map<std::string, std::string> values;
  FlatWriter writer("", values);
  fields(writer);
  return values;
}

std::string to_help(const std::function<void(Fields&)>& fields) {
  HelpWriter writer("");
  fields(writer);
  return writer.result();
}

}  // namespace easgd::config
