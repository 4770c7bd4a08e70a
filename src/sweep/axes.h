// What a sweep varies: keys of a configuration, and the values that each takes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/change.h"
#include "config/overrides.h"
#include "config/value.h"

namespace easgd {

/// One key with one value.
struct Setting {
  config::Change change;
  std::string text;  ///< the value for people: easgd, 4, 0.01
};

/// From `low` to `high`, both included.
struct Range {
  double low = 0, high = 0;
  bool is_log = false;      ///< equal ratios instead of equal distances
  bool is_integer = false;  ///< values are rounded to whole numbers
  double step = 0;          ///< between values of a grid; 0: it has none
};

/// One key, or several that go through their values together.
struct Axis {
  std::vector<std::string> keys;
  std::vector<std::vector<Setting>> points;  ///< of each point, a setting a key
  std::optional<Range> range = {};           ///< random search draws from it instead
  bool is_open = false;                      ///< a range without points, which no grid can have

  /// Of a range, at a share of its way, 0..1.
  std::vector<Setting> at(double share) const;
  /// Of a range, with that value.
  std::vector<Setting> with(double value) const;
};

/// Axes that are crossed.
using Axes = std::vector<Axis>;

/// The keys of a table, also of the tables in it, by their dotted names.
std::vector<std::pair<std::string, config::Value>> flat_members(const config::Value& table);

/// One key with one value, as a sweep file has it. An empty text takes a key away that is no text.
Setting setting_of(const std::string& key, const config::Value& value, const config::Kinds& kinds);

/// A list of values, a single one, or a range: {min, max, points, scale = "linear" | "log"}, or
/// {min, max, step}. `points` may be missing if values are drawn at random.
/// Throws: ConfigError with the place in the sweep file.
Axis axis_of(const std::string& key, const config::Value& value, const config::Kinds& kinds);

/// Keys that go through their values together: lists of one length.
/// Throws: ConfigError with the place in the sweep file.
Axis zipped_axis_of(const config::Value& table, const config::Kinds& kinds);

}  // namespace easgd
