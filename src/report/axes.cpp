#include "report/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include "base/fnv1a.h"
#include "report/devices.h"

namespace easgd::report {
namespace {

constexpr const char* kLayers = "network.layer";
constexpr const char* kFirst[] = {"algorithm.name", "workers.devices", "algorithm.tau",
                                  "algorithm.rho",  "algorithm.beta",  "algorithm.alpha"};

bool is_name_or_place(const std::string& key) {
  static const std::set<std::string> kThese = {"name",          "seed",           "data.dir",
                                               "data.mean",     "data.deviation", "network.file",
                                               "center.replay", "profile.steps"};
  return kThese.contains(key);
}

bool is_of_layers(const std::string& key) {
  return key.starts_with(std::string(kLayers) + "[");
}

std::string tail_of(const std::string& key) {
  return key.substr(key.rfind('.') + 1);
}

/// "7 layers, a1b2c3": networks of the same layers have the same.
std::string layers_of(const ReportedRun& run) {
  std::string text;
  std::size_t count = 0;
  for (const auto& [key, value] : run.settings) {
    if (!is_of_layers(key)) continue;
    count += key.ends_with("].type");
    text += key + "=" + value + "\n";
  }
  if (count == 0) return {};
  return fmt::format("{} layer{}, {:06x}", count, count == 1 ? "" : "s", fnv1a(text) & 0xffffff);
}

std::optional<double> number_of(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Numbers by size, before words; longer lists, as of devices, after shorter ones.
bool comes_before(const std::string& a, const std::string& b) {
  const auto x = number_of(a), y = number_of(b);
  if (x.has_value() != y.has_value()) return x.has_value();
  if (x && *x != *y) return *x < *y;
  return std::pair(devices_in(a).size(), a) < std::pair(devices_in(b).size(), b);
}

using Some = std::vector<const ReportedRun*>;

/// Runs of whose configuration something is known.
Some configured(const std::vector<ReportedRun>& runs) {
  Some some;
  for (const ReportedRun& run : runs) {
    if (!run.settings.empty()) some.push_back(&run);
  }
  return some;
}

/// What a sweep has only planned says nothing of other keys.
bool differ_in(const Some& runs, const std::string& key) {
  std::set<std::string> values;
  for (const ReportedRun* run : runs) {
    if (!run->is_planned || run->settings.contains(key)) values.insert(value_of(*run, key));
  }
  return values.size() > 1;
}

std::set<std::string> keys_between(const Some& runs) {
  std::set<std::string> keys;
  for (const ReportedRun* run : runs) {
    for (const auto& [key, value] : run->settings) {
      if (!is_name_or_place(key)) keys.insert(is_of_layers(key) ? kLayers : key);
    }
  }
  std::erase_if(keys, [&runs](const std::string& key) { return !differ_in(runs, key); });
  return keys;
}

std::vector<std::string> by_rank(const std::set<std::string>& keys) {
  std::vector<std::string> ordered(keys.begin(), keys.end());
  std::ranges::stable_sort(ordered, {}, rank_of);
  return ordered;
}

/// Keys in which runs differ that are alike in all of `axes`.
std::set<std::string> keys_beside(const Some& runs, const std::vector<std::string>& axes) {
  std::map<std::vector<std::string>, Some> alike;
  for (const ReportedRun* run : runs) {
    std::vector<std::string> values;
    for (const std::string& axis : axes) values.push_back(value_of(*run, axis));
    alike[values].push_back(run);
  }
  std::set<std::string> keys;
  for (const auto& [values, some] : alike) keys.merge(keys_between(some));
  return keys;
}

Axis axis_over(const Some& runs, const std::string& key) {
  std::set<std::string> all;
  for (const ReportedRun* run : runs) all.insert(value_of(*run, key));
  Axis axis{key, {all.begin(), all.end()}};
  std::ranges::sort(axis.values, comes_before);
  return axis;
}

}  // namespace

std::string value_of(const ReportedRun& run, const std::string& axis) {
  return axis == kLayers ? layers_of(run) : run.setting(axis);
}

std::size_t rank_of(const std::string& axis) {
  return std::size_t(std::ranges::find(kFirst, axis) - std::begin(kFirst));
}

std::vector<Axis> axes_between(const std::vector<ReportedRun>& runs,
                               const std::vector<std::string>& planned) {
  const Some some = configured(runs);
  std::vector<Axis> axes;
  for (const std::string& key : planned) axes.push_back(axis_over(some, key));
  const auto further = planned.empty() ? keys_between(some) : keys_beside(some, planned);
  for (const std::string& key : by_rank(further)) axes.push_back(axis_over(some, key));
  return axes;
}

std::string words_of(const std::string& axis, const std::string& value) {
  if (axis == "algorithm.name" || axis == kLayers) return value;
  if (value.empty()) return {};
  if (axis == "workers.devices") {
    return value == "auto" ? "p=auto" : fmt::format("p={}", devices_in(value).size());
  }
  return fmt::format("{}={}", tail_of(axis), value);
}

}  // namespace easgd::report
