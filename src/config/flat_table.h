// A TOML file as it stands, for those who need no meaning of its keys.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace easgd::config {

/// Each value by its dotted key, elements of a list of tables as in "network.layer[0].type". Words
/// stand without quotes, unless they hold line breaks or the like; lists as TOML writes them.
/// Throws: ConfigError if the file cannot be read or is no TOML.
std::map<std::string, std::string> flat_table(const std::filesystem::path& file);

}  // namespace easgd::config
