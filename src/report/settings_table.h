// The configurations of many runs, of which most keys are the same.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "report/reported_run.h"

namespace easgd::report {

class SettingsTable {
 public:
  explicit SettingsTable(const std::vector<ReportedRun>& runs);

  /// Each key's most frequent value.
  const std::map<std::string, std::string>& common() const { return common_; }
  /// What a run has otherwise; "" for a key that it has not.
  std::map<std::string, std::string> changes_of(const ReportedRun& run) const;

 private:
  std::map<std::string, std::string> common_;
};

}  // namespace easgd::report
