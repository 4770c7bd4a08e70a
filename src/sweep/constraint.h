// What has to hold between the keys of a run, as "algorithm.tau * algorithm.learning_rate <= 1".
//
//   condition  = and { "or" and }
//   and        = comparison { "and" comparison }
//   comparison = sum ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum  |  "(" condition ")"
//   sum        = product { ("+" | "-") product }
//   product    = atom { ("*" | "/") atom }
//   atom       = number | 'text' | dotted.key | "-" atom | "(" sum ")"
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/value.h"

namespace easgd {

/// Whether some configuration has a key of that dotted name.
using KnownKey = std::function<bool(const std::string& key)>;

class Constraint {
 public:
  /// Values by their dotted keys, in TOML.
  using Keys = std::map<std::string, std::string>;

  /// Throws: ConfigError with the place in the sweep file if `text` is no condition.
  Constraint(const std::string& text, const std::string& location, const KnownKey& is_known);

  /// A comparison with a key that the run does not have holds.
  /// Throws: ConfigError if a number is compared with a text, or computed of one.
  bool holds(const Keys& keys) const;
  /// As in the file.
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::function<bool(const Keys&)> condition_;
};

/// Of a list of texts, or of a lone one.
/// Throws: ConfigError with the place in the sweep file.
std::vector<Constraint> constraints_of(const config::Value& value, const KnownKey& is_known);

}  // namespace easgd
