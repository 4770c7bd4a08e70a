// A choice between words as an enum: its words are declared once, and code compares values.
//
//   enum class Side { left, right };
//   template <>
//   struct config::Names<Side> {
//     static constexpr Name<Side> all[] = {{"left", Side::left}, {"right", Side::right}};
//   };
//
//   void fields(config::Fields& f) { config::choice(f, "side", side, "which side it takes"); }
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/fields.h"

namespace easgd::config {

template <class Enum>
struct Name {
  std::string_view word;
  Enum value;
};

/// `all`: the words of an enum, in the order in which people read them. Specialised beside the
/// enum.
template <class Enum>
struct Names;

template <class Enum>
std::string name_of(Enum value) {
  for (const Name<Enum>& name : Names<Enum>::all) {
    if (name.value == value) return std::string(name.word);
  }
  throw Bug(__FILE__, __LINE__, "a value with a name", std::to_string(int(value)));
}

/// Nothing if the enum has no such word.
template <class Enum>
std::optional<Enum> find_named(std::string_view word) {
  for (const Name<Enum>& name : Names<Enum>::all) {
    if (name.word == word) return name.value;
  }
  return std::nullopt;
}

/// `word` is one of the enum's.
template <class Enum>
Enum named(std::string_view word) {
  return find_named<Enum>(word).value();
}

/// Declares the option.
template <class Enum>
void choice(Fields& f, const char* key, Enum& value, const char* meaning) {
  Fields::Words words;
  for (const Name<Enum>& name : Names<Enum>::all) words.emplace_back(name.word);
  std::string word = name_of(value);
  f.choice(key, word, words, meaning);
  value = named<Enum>(word);
}

}  // namespace easgd::config
