// Writes option structs out: as a TOML file that reads back to the same, and as help for people.
#pragma once

#include <map>
#include <string>

#include "config/fields.h"

namespace easgd::config {

/// The TOML text of everything `fields` declares; optional values that were not given are left out.
/// Throws: KeyError against a text that is no UTF-8, which TOML has no way to write.
std::string to_toml(const std::function<void(Fields&)>& fields);

/// The same as values by their dotted keys; elements of lists of tables as "network.layer[2].name".
/// Throws: as to_toml.
std::map<std::string, std::string> to_flat(const std::function<void(Fields&)>& fields);

/// Each key with its meaning, type, range and default.
std::string to_help(const std::function<void(Fields&)>& fields);

/// The shortest text that TOML reads back to the same bits, as a number with a fraction.
std::string exact_text(double value);

/// A text as TOML writes it, in quotes.
std::string quoted(const std::string& text);

/// For people: a text that quoted() has written, without its quotes; a list of one text likewise.
std::string unquoted(const std::string& toml);

}  // namespace easgd::config
