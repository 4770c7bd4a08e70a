// Fills option structs from a TOML file and `--set` overrides.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/change.h"
#include "config/fields.h"

namespace easgd::config {

/// Where the keys of a configuration stand.
struct Locations {
  std::string origin;                       ///< the file, for keys that stand nowhere
  std::map<std::string, std::string> keys;  ///< "algorithm.tau" -> "run.toml:12", or its override
  std::vector<std::string> foreign = {};    ///< keys that are given though they belong elsewhere
};

/// Does `work`; what it says against a key begins with where the key stands.
/// Throws: what `work` does, and ConfigError in the place of KeyError.
void at_locations(const Locations& locations, const std::function<void()>& work);

/// What is changed in a file after it was read, in this order.
struct Edits {
  Edits() = default;
  Edits(std::vector<std::string> texts) : overrides(std::move(texts)) {}
  Edits(std::initializer_list<std::string> texts) : overrides(texts) {}
  Edits(std::vector<Change> first, std::vector<std::string> then)
      : changes(std::move(first)), overrides(std::move(then)) {}

  std::vector<Change> changes = {};
  std::vector<std::string> overrides = {};  ///< "algorithm.tau=4", of the command line
};

/// Reads `path`, edits it, and fills what `fields` declares.
/// Keys that nobody declares are errors, and so are values of a wrong type or out of range.
/// `expected` says what an empty file should have held.
/// Throws: ConfigError with file, line, key, what was expected and what was found.
Locations read_file(const std::string& path, const Edits& edits,
                    const std::function<void(Fields&)>& fields, const std::string& expected);

/// The same for TOML in memory; `origin` stands for the file in messages.
Locations read_text(const std::string& text, const std::string& origin, const Edits& edits,
                    const std::function<void(Fields&)>& fields, const std::string& expected);

}  // namespace easgd::config
