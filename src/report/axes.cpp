#include "report/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>

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
  std::uint32_t hash = 2166136261;  // FNV-1a
  std::size_t count = 0;
  for (const auto& [key, value] : run.settings) {
    if (!is_of_layers(key)) continue;
    count += key.ends_with("].type");
    for (const char c : key + "=" + value + "\n") hash = (hash ^ std::uint8_t(c)) * 16777619;
  }
  if (count == 0) return {};
  return fmt::format("{} layer{}, {:06x}", count, count == 1 ? "" : "s", hash & 0xffffff);
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
  const auto items = [](const std::string& text) {
    return text.starts_with('[') ? std::ranges::count(text, ',') : 0;
  };
  return std::pair(items(a), a) < std::pair(items(b), b);
}

std::vector<std::string> values_of(const std::vector<ReportedRun>& runs, const std::string& key) {
  std::set<std::string> all;
  for (const ReportedRun& run : runs) {
    if (!run.settings.empty()) all.insert(value_of(run, key));
  }
  std::vector<std::string> sorted(all.begin(), all.end());
  std::ranges::sort(sorted, comes_before);
  return sorted;
}

}  // namespace

std::string value_of(const ReportedRun& run, const std::string& axis) {
  return axis == kLayers ? layers_of(run) : run.setting(axis);
}

std::size_t rank_of(const std::string& axis) {
  return std::size_t(std::ranges::find(kFirst, axis) - std::begin(kFirst));
}

std::vector<Axis> axes_named(const std::vector<ReportedRun>& runs,
                             const std::vector<std::string>& keys) {
  std::vector<Axis> axes;
  for (const std::string& key : keys) axes.push_back({key, values_of(runs, key)});
  return axes;
}

std::vector<Axis> axes_between(const std::vector<ReportedRun>& runs) {
  std::set<std::string> keys;
  for (const ReportedRun& run : runs) {
    for (const auto& [key, value] : run.settings) {
      if (!is_name_or_place(key)) keys.insert(is_of_layers(key) ? kLayers : key);
    }
  }
  std::vector<std::string> ordered(keys.begin(), keys.end());
  std::ranges::stable_sort(ordered, {}, rank_of);
  std::vector<Axis> axes = axes_named(runs, ordered);
  std::erase_if(axes, [](const Axis& axis) { return axis.values.size() < 2; });
  return axes;
}

std::string words_of(const std::string& axis, const std::string& value) {
  if (axis == "algorithm.name" || axis == kLayers) return value;
  if (value.empty()) return {};
  if (axis == "workers.devices") {
    return fmt::format("p={}", std::ranges::count(value, ',') + 1);
  }
  return fmt::format("{}={}", tail_of(axis), value);
}

}  // namespace easgd::report
