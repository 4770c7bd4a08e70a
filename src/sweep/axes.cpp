#include "sweep/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace easgd {
namespace {

using config::Kind;
using config::Kinds;
using config::Value;

constexpr double kMostPoints = 10000;
constexpr const char* kRangeForm =
    R"({min = 0.01, max = 10, points = 5, scale = "log"} or {min = 1, max = 9, step = 2})";

[[noreturn]] void fail(const std::string& key, const Value& value, const std::string& why) {
  throw ConfigError(fmt::format("{}: {}: {}", value.location(), key, why));
}

std::optional<Kind> kind_of(const std::string& key, const Kinds& kinds) {
  const auto found = kinds.find(key);
  return found == kinds.end() ? std::nullopt : std::optional(found->second);
}

double number_in(const std::string& key, const Value& range, const char* name) {
  const Value* value = range.member(name);
  if (!value || !value->number) {
    fail(key, range, fmt::format("a range needs the number {}, as in {}", name, kRangeForm));
  }
  return *value->number;
}

/// What a range's keys are, beside its ends.
void check_range_keys(const std::string& key, const Value& range) {
  for (const auto& [name, value] : range.members) {
    constexpr const char* kNames[] = {"min", "max", "points", "step", "scale"};
    if (std::ranges::find(kNames, name) == std::end(kNames)) {
      fail(key, range, fmt::format("a range has no {}; expected {}", name, kRangeForm));
    }
  }
}

Range range_of(const std::string& key, const Value& value, const Kinds& kinds) {
  check_range_keys(key, value);
  Range range{.low = number_in(key, value, "min"), .high = number_in(key, value, "max")};
  if (!(range.low <= range.high) || !std::isfinite(range.high - range.low)) {
    fail(key, value, fmt::format("min {} is above max {}", range.low, range.high));
  }
  if (const Value* scale = value.member("scale")) {
    if (scale->text != "linear" && scale->text != "log") {
      fail(key, value, fmt::format("expected scale \"linear\" or \"log\"; found {}", scale->toml));
    }
    range.is_log = scale->text == "log";
  }
  if (range.is_log && range.low <= 0) {
    fail(key, value, fmt::format("a logarithmic range begins above 0; found min {}", range.low));
  }
  const auto kind = kind_of(key, kinds);
  const bool whole_ends = value.member("min")->is_integer && value.member("max")->is_integer;
  range.is_integer = kind ? *kind == Kind::integer : whole_ends;
  return range;
}

double value_at(const Range& range, double share) {
  const double value = range.is_log ? range.low * std::pow(range.high / range.low, share)
                                    : range.low + (range.high - range.low) * share;
  return range.is_integer ? std::round(value) : value;
}

std::string text_of(const Range& range, double value) {
  return range.is_integer ? fmt::format("{:.0f}", value) : fmt::format("{:.6g}", value);
}

/// How many values a range stands for in a grid; 0 if it does not say.
std::size_t count_points(const std::string& key, const Value& value, const Range& range) {
  const Value *points = value.member("points"), *step = value.member("step");
  if (points && step) fail(key, value, "give points or step, not both");
  if (!points && !step) return 0;
  double count = 0;
  if (points) {
    if (!points->is_integer || *points->number < 1) {
      fail(key, value, fmt::format("expected points of 1 and more; found {}", points->toml));
    }
    count = *points->number;
  } else {
    if (!step->number || !(*step->number > 0) || range.is_log) {
      fail(key, value, "expected a step above 0, of a linear range");
    }
    count = std::floor((range.high - range.low) / *step->number * (1 + 1e-12)) + 1;
  }
  if (count > kMostPoints) fail(key, value, fmt::format("has more than {} points", kMostPoints));
  return std::size_t(count);
}

Setting written(const std::string& key, const std::string& text, const Value& place) {
  return {{.key = key, .toml = text, .origin = place.origin, .line = place.line}, text};
}

Axis ranged_axis(const std::string& key, const Value& value, const Kinds& kinds) {
  Range range = range_of(key, value, kinds);
  const std::size_t count = count_points(key, value, range);
  const Value* step = value.member("step");
  if (step) range.step = *step->number;
  Axis axis{.keys = {key}, .points = {}, .range = range};
  for (std::size_t i = 0; i < count; ++i) {
    const double width = range.high - range.low;
    const double share = step ? (width > 0 ? double(i) * *step->number / width : 0)
                              : (count > 1 ? double(i) / double(count - 1) : 0);
    const std::string text = text_of(range, value_at(range, share));
    if (axis.points.empty() || axis.points.back()[0].text != text) {
      axis.points.push_back({written(key, text, value)});
    }
  }
  // So that a drawn value knows its place in the file, too.
  if (count == 0) axis.points.push_back({written(key, "", value)});
  axis.is_open = count == 0;
  return axis;
}

}  // namespace

std::vector<Setting> Axis::at(double share) const {
  return with(value_at(*range, share));
}

std::vector<Setting> Axis::with(double value) const {
  Setting setting = points[0][0];
  setting.text = setting.change.toml = text_of(*range, value);
  return {setting};
}

std::vector<std::pair<std::string, Value>> flat_members(const Value& table) {
  std::vector<std::pair<std::string, Value>> all;
  for (const auto& [key, value] : table.members) {
    if (value.kind != Value::Kind::table || value.in_braces) {
      all.emplace_back(key, value);
      continue;
    }
    for (auto& [inner, item] : flat_members(value)) {
      all.emplace_back(key + "." + inner, std::move(item));
    }
  }
  return all;
}

Setting setting_of(const std::string& key, const Value& value, const Kinds& kinds) {
  Setting setting{{.key = key, .toml = value.toml, .origin = value.origin, .line = value.line},
                  value.text};
  const auto kind = kind_of(key, kinds);
  if (value.toml == "\"\"" && kind && *kind != Kind::text) setting.change.toml.clear();
  return setting;
}

Axis axis_of(const std::string& key, const Value& value, const Kinds& kinds) {
  if (value.kind == Value::Kind::table && (value.member("min") || value.member("max"))) {
    return ranged_axis(key, value, kinds);
  }
  Axis axis{.keys = {key}, .points = {}};
  if (value.kind != Value::Kind::list) {
    axis.points.push_back({setting_of(key, value, kinds)});
    return axis;
  }
  if (value.items.empty()) fail(key, value, "expected at least one value; found []");
  for (const Value& item : value.items) axis.points.push_back({setting_of(key, item, kinds)});
  return axis;
}

Axis zipped_axis_of(const Value& table, const Kinds& kinds) {
  Axis axis;
  for (const auto& [key, value] : flat_members(table)) {
    const Axis one = axis_of(key, value, kinds);
    if (one.is_open) fail(key, value, "a range among zipped keys needs points or step");
    if (axis.keys.empty()) axis.points.resize(one.points.size());
    if (one.points.size() != axis.points.size()) {
      fail(key, value,
           fmt::format("zipped keys go through their values together: expected {} values, as of "
                       "{}; found {}",
                       axis.points.size(), axis.keys[0], one.points.size()));
    }
    axis.keys.push_back(key);
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      axis.points[i].push_back(one.points[i][0]);
    }
  }
  if (axis.keys.empty()) {
    throw ConfigError(table.location() + ": zip: expected keys with lists of one length");
  }
  return axis;
}

}  // namespace easgd
