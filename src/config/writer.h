// Writes option structs out: as a TOML file that reads back to the same, and as help for people.
#pragma once

#include <string>

#include "config/fields.h"

namespace easgd::config {

/// The TOML text of everything `fields` declares; optional values that were not given are left out.
/// Throws: KeyError against a text that is no UTF-8, which TOML has no way to write.
std::string to_toml(const std::function<void(Fields&)>& fields);

/// Each key with its meaning, type, range and default.
std::string to_help(const std::function<void(Fields&)>& fields);

/// A text as TOML writes it, in quotes.
std::string quoted(const std::string& text);

}  // namespace easgd::config
