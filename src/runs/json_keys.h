// Structs as JSON objects. A struct declares its keys once, and is written and read by that:
//
//   template <class Keys>
//   void keys(Keys& k) { k("time", seconds); k("message", message); }
//
// Numbers that are not finite, and empty optionals, are null. Whoever reads ignores keys that are
// not declared, and leaves a member as it is if its key is missing: files of other versions can be
// read.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "config/choice.h"

namespace easgd::json_keys {

using nlohmann::json;

class Writer;
class Reader;

template <class T>
concept Struct = requires(T& value, Writer& writer) {
  value.keys(writer);
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsList : std::false_type {};
template <class T>
struct IsList<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {
  static constexpr const char* kExpected =
      std::is_same_v<T, double> ? "an object of numbers" : "an object of texts";
};

template <class T>
json write(T& value);
template <class T>
void read(const char* key, const json& from, T& value);

class Writer {
 public:
  template <class T>
  void operator()(const char* key, T& value) {
    object[key] = write(value);
  }
  /// A key that is there only if it has a value.
  template <class T>
  void if_given(const char* key, std::optional<T>& value) {
    if (value) object[key] = write(*value);
  }
  /// Whether a key shall be there.
  bool has(const char* /*key*/, bool wanted) const { return wanted; }

  json object = json::object();
};

class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}

  template <class T>
  void operator()(const char* key, T& value) {
    if (const auto it = object_.find(key); it != object_.end()) read(key, *it, value);
  }
  template <class T>
  void if_given(const char* key, std::optional<T>& value) {
    (*this)(key, value);
  }
  bool has(const char* key, bool /*wanted*/) const { return object_.contains(key); }

 private:
  const json& object_;
};

/// In a few words: a list may hold lists as deep as the file is long.
inline std::string shown(const json& found) {
  constexpr std::size_t kLongestShown = 60;
  const bool flat = !found.is_structured() || std::ranges::none_of(found, [](const json& item) {
    return item.is_structured();
  });
  const std::string text = flat ? found.dump(-1, ' ', false, json::error_handler_t::replace)
                                : std::string(found.type_name()) + " of lists or objects";
  return text.substr(0, kLongestShown);
}

[[noreturn]] inline void refuse(const char* key, const char* expected, const json& found) {
  throw DataError(fmt::format("{}: expected {}; found {}", key, expected, shown(found)));
}

template <class T>
json write(T& value) {
  if constexpr (Struct<T>) {
    Writer writer;
    value.keys(writer);
    return std::move(writer.object);
  } else if constexpr (IsOptional<T>::value) {
    return value ? write(*value) : json();
  } else if constexpr (IsList<T>::value) {
    json list = json::array();
    for (auto& item : value) list.push_back(write(item));
    return list;
  } else if constexpr (std::is_enum_v<T>) {
    return config::name_of(value);
  } else {
    return value;
  }
}

/// `key` is for messages.
/// Throws: DataError if `from` is not of the member's kind.
template <class T>
void read(const char* key, const json& from, T& value) {
  if constexpr (Struct<T>) {
    if (!from.is_object()) refuse(key, "an object", from);
    Reader reader(from);
    value.keys(reader);
  } else if constexpr (IsOptional<T>::value) {
    value.reset();
    if (!from.is_null()) read(key, from, value.emplace());
  } else if constexpr (IsList<T>::value) {
    if (!from.is_array()) refuse(key, "a list", from);
    value.clear();
    for (const json& item : from) read(key, item, value.emplace_back());
  } else if constexpr (IsMap<T>::value) {
    if (!from.is_object()) refuse(key, IsMap<T>::kExpected, from);
    value.clear();
    for (const auto& [name, item] : from.items()) read(key, item, value[name]);
  } else if constexpr (std::is_enum_v<T>) {
    if (!from.is_string()) refuse(key, "a word", from);
    const auto found = config::find_named<T>(from.template get_ref<const std::string&>());
    if (!found) refuse(key, "a word that is known", from);
    value = *found;
  } else if constexpr (std::is_same_v<T, double>) {
    if (!from.is_null() && !from.is_number()) refuse(key, "a number", from);
    value = from.is_null() ? std::numeric_limits<double>::quiet_NaN() : from.get<double>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!from.is_string()) refuse(key, "a text", from);
    value = from.get<std::string>();
  } else {
    static_assert(std::is_integral_v<T> && !std::is_same_v<T, bool>);
    const bool fits =
        from.is_number_integer() &&
        (std::is_signed_v<T> || from.is_number_unsigned() || from.get<std::int64_t>() >= 0);
    if (!fits) refuse(key, "an integer", from);
    value = from.get<T>();
  }
}

}  // namespace easgd::json_keys
