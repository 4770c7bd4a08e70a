// Fills option structs from a TOML file and `--set` overrides.
#pragma once

#include <string>
#include <vector>

#include "config/fields.h"

namespace easgd::config {

/// Reads `path`, applies overrides ("algorithm.tau=4") in order, and fills what `fields` declares.
/// Keys that nobody declares are errors, and so are values of a wrong type or out of range.
/// `expected` says what an empty file should have held.
/// Throws: ConfigError with file, line, key, what was expected and what was found.
void read_file(const std::string& path, const std::vector<std::string>& overrides,
               const std::function<void(Fields&)>& fields, const std::string& expected);

/// The same for TOML in memory; `origin` stands for the file in messages.
void read_text(const std::string& text, const std::string& origin,
               const std::vector<std::string>& overrides,
               const std::function<void(Fields&)>& fields, const std::string& expected);

}  // namespace easgd::config
