// From a TOML file to a configuration: read, checked, with paths that hold from any folder.
#pragma once

#include <string>
#include <vector>

#include "settings/config.h"

namespace easgd {

/// Reads a configuration, its network file too, and checks what one key alone cannot show.
/// network.file is relative to the configuration's folder, every other path to the current one.
/// Throws: ConfigError.
Config load_config(const std::string& path, const config::Edits& edits);

/// The same, not checked beyond its single keys.
Config read_config(const std::string& path, const config::Edits& edits);

/// Reads a configuration in memory, as a safetensors file carries one. It is not checked, and its
/// paths are left as they are; network.file is refused: whoever made the file names no other.
/// Throws: ConfigError.
Config parse_config(const std::string& text, const std::string& origin, const config::Edits& edits);

/// A path that means the same from any folder; unchanged if the current folder is gone.
std::string anchored(const std::string& path);

}  // namespace easgd
