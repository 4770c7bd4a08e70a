#pragma once

#include "config/toml.h"

#include <string>

namespace easgd::config {

/// A node in one line: toml++ writes a table as lines of its own.
std::string toml_of(const toml::node& node);

}  // namespace easgd::config
