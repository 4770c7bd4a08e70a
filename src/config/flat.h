// Option structs as a plain list of values by their dotted keys, for programs that know no TOML.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/fields.h"

namespace easgd::config {

struct FlatValue {
  std::string key;  ///< dotted
  std::variant<double, bool, std::string> value;
};

/// Everything `fields` declares that has a value, in that order. A list is a text, its items after
/// one another with blanks between; lists of tables are left out.
std::vector<FlatValue> flat(const std::function<void(Fields&)>& fields);

}  // namespace easgd::config
