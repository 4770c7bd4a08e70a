// Overrides of the command line, "algorithm.tau=4": what is behind "--set ".
//
// How a value is read depends on the declared kind of its key. Text stands as it is, a word without
// the blanks around it, a list of words as a list or a word; everything else is TOML. Text in
// TOML's quotes is taken out of them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "config/change.h"
#include "config/fields.h"
#include "config/toml.h"

namespace easgd::config {

constexpr std::string_view kOverride = "--set ";

enum class Kind { text, word, words, integer, number, list, flag, table };

/// The kind of each declared key, tables' too: "algorithm.tau" -> number.
using Kinds = std::map<std::string, Kind>;
Kinds kinds_of(const std::function<void(Fields&)>& fields);

/// Changes `root` as `text` says: "algorithm.tau=4" sets a value, "algorithm.beta=" takes it away.
/// A dotted key changes one value of a table, an inline table takes its place. What is not of its
/// key's kind becomes a string, for the reader of the key to refuse.
/// Throws: ConfigError if `text` is no override, or takes away what is not there.
void apply_override(toml::table& root, const std::string& text, const Kinds& kinds);

/// Throws: ConfigError if it takes away what is not there.
void apply_change(toml::table& root, const Change& change);

}  // namespace easgd::config
