#include "report/devices.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "settings/config.h"

namespace easgd::report {
namespace {

/// "cpu" and ["cpu", "cuda:0"] alike, without quotes.
std::vector<std::string> items_of(std::string value) {
  std::erase(value, '"');
  if (!value.starts_with('[') || !value.ends_with(']')) return {value};
  std::vector<std::string> items;
  constexpr std::string_view kBetween = ", ";
  for (std::string rest = value.substr(1, value.size() - 2);;) {
    const std::size_t end = rest.find(kBetween);
    items.push_back(rest.substr(0, end));
    if (end == rest.npos) return items;
    rest.erase(0, end + kBetween.size());
  }
}

}  // namespace

std::vector<std::string> devices_in(const std::string& value) {
  WorkersConfig workers;
  workers.devices = items_of(value);
  return workers.each_device();
}

std::string device_words(const std::string& value) {
  const std::vector<std::string> devices = devices_in(value);
  const bool is_chosen = devices[0] != "auto" && !value.empty();
  if (!is_chosen) return value;
  const bool are_equal = std::ranges::count(devices, devices[0]) == std::ssize(devices);
  return are_equal ? fmt::format("{} x {}", devices.size(), devices[0])
                   : fmt::format("[\"{}\"]", fmt::join(devices, "\", \""));
}

}  // namespace easgd::report
