#pragma once

#include <cstddef>
#include <string>

namespace easgd::config {

/// A key as another file than its own sets it: in TOML, or taken away if `toml` is empty.
struct Change {
  std::string key, toml;
  std::string origin;    ///< the other file, which errors point to
  std::size_t line = 1;  ///< in it
};

}  // namespace easgd::config
