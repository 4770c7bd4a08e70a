// How deep the tables of a TOML text may lie in each other.
#pragma once

#include <string>
#include <string_view>

namespace easgd::config {

/// Whoever walks through a table, or gives it back, needs stack for each table in it, and a name
/// with a million dots makes a million.
/// Throws: ConfigError with file and line if a name may have more dots than anybody needs; they
/// are counted without a look at what is a name.
void check_nesting(std::string_view text, const std::string& origin);

}  // namespace easgd::config
