#include "report/csv.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "report/speed_up.h"

namespace easgd::report {
namespace {

using Row = std::vector<std::string>;

std::string quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == cell.npos) return cell;
  std::string text(1, '"');
  for (const char c : cell) text.append(c == '"' ? 2 : 1, c);
  text += '"';
  return text;
}

std::string line_of(const Row& row) {
  std::string line;
  for (const std::string& cell : row) {
    if (&cell != &row[0]) line += ',';
    line += quoted(cell);
  }
  return line + "\r\n";
}

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

Row head_of(const Study& study, const std::vector<std::string>& levels) {
  Row row = {"identity", "status", "seed"};
  for (const Axis& axis : study.axes) row.push_back(axis.key);
  row.insert(row.end(), {"test_error", "best_test_error"});
  for (const std::string& level : levels) row.push_back("time_to_error." + level);
  row.insert(row.end(), {"wall_seconds", "virtual_seconds", "images_per_second", "folder"});
  return row;
}

Row row_of(const ReportedRun& run, const Study& study, const std::vector<std::string>& levels) {
  Row row = {run.identity, run.status, run.seed()};
  for (const Axis& axis : study.axes) row.push_back(value_of(run, axis.key));
  RunSummary none;
  none.wall_seconds = none.images_per_second = RunSummary::kNone;
  const RunSummary& s = run.summary ? *run.summary : none;
  row.insert(row.end(), {number(s.test_error), number(s.best_test_error)});
  for (const std::string& level : levels) {
    const auto found = s.time_to_error.find(level);
    row.push_back(found == s.time_to_error.end() ? "" : number(found->second));
  }
  row.insert(row.end(), {number(s.wall_seconds), number(s.virtual_seconds.value_or(s.kNone)),
                         number(s.images_per_second), run.folder.string()});
  return row;
}

}  // namespace

std::string csv_of(const Study& study) {
  const std::vector<std::string> levels = levels_of(study.runs);
  std::string text = line_of(head_of(study, levels));
  for (const ReportedRun& run : study.runs) text += line_of(row_of(run, study, levels));
  return text;
}

}  // namespace easgd::report
