// A value of a TOML file whose keys and kinds the reader does not know, as a sweep's axes are.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace easgd::config {

struct Value {
  enum class Kind { scalar, list, table };

  Kind kind = Kind::scalar;
  std::string toml;               ///< as TOML writes it, in one line
  std::string text;               ///< for people: a string without its quotes
  std::optional<double> number;   ///< of a number
  bool is_integer = false;        ///< a number without a fraction, as it is written
  std::vector<Value> items = {};  ///< of a list
  std::vector<std::pair<std::string, Value>> members =
      {};                  ///< of a table, as they stand in the file
  bool in_braces = false;  ///< a table within one value: {a = 1}
  std::string origin;      ///< the file
  std::size_t line = 0;    ///< in the file

  /// "study.toml:12".
  std::string location() const;
  /// Of a table; null if it has none.
  const Value* member(const std::string& key) const;
};

}  // namespace easgd::config
