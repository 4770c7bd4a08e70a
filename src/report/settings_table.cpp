#include "report/settings_table.h"

#include <algorithm>

namespace easgd::report {

SettingsTable::SettingsTable(const std::vector<ReportedRun>& runs) {
  std::map<std::string, std::map<std::string, std::size_t>> counts;
  for (const ReportedRun& run : runs) {
    for (const auto& [key, value] : run.settings) ++counts[key][value];
  }
  for (const auto& [key, values] : counts) {
    common_[key] =
        std::ranges::max_element(values, {}, [](const auto& v) { return v.second; })->first;
  }
}

std::map<std::string, std::string> SettingsTable::changes_of(const ReportedRun& run) const {
  std::map<std::string, std::string> changes;
  if (run.settings.empty()) return changes;
  for (const auto& [key, value] : common_) {
    const std::string own = run.setting(key);
    if (own != value) changes[key] = own;
  }
  return changes;
}

}  // namespace easgd::report
