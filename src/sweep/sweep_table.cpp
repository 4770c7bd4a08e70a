#include "sweep/sweep_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace easgd {
namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

/// "algorithm.tau" -> "tau"
std::string short_name(const std::string& key) {
  return key.substr(key.rfind('.') + 1);
}

std::string percent(const std::vector<double>& shares) {
  return shares.empty() ? "-" : fmt::format("{:.2f}", 100 * mean(shares));
}

/// From the lowest to the highest; nothing of one.
std::string spread(const std::vector<double>& shares) {
  if (shares.size() < 2) return "";
  const auto [low, high] = std::ranges::minmax(shares);
  return fmt::format("{:.2f}..{:.2f}", 100 * low, 100 * high);
}

using Line = std::vector<std::string>;

/// Columns of equal width; the first ones, `texts` of them, and the last begin at their left.
std::string aligned(const std::vector<Line>& lines, std::size_t texts) {
  std::vector<std::size_t> widths(lines[0].size(), 0);
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Line& line : lines) {
    std::string row;
    for (std::size_t i = 0; i < line.size(); ++i) {
      row += i < texts || i + 1 == line.size() ? fmt::format("{:<{}}  ", line[i], widths[i])
                                               : fmt::format("{:>{}}  ", line[i], widths[i]);
    }
    text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace

std::string outcome_of(const RunSummary& summary) {
  const bool is_virtual = summary.virtual_seconds.has_value();
  return fmt::format("{}error {:.2f} % (best {:.2f} %), {:.1f} {}s",
                     summary.status == RunStatus::done ? "" : "diverged, ",
                     100 * summary.test_error, 100 * summary.best_test_error,
                     summary.virtual_seconds.value_or(summary.wall_seconds),
                     is_virtual ? "virtual " : "");
}

SweepTable::SweepTable(const SweepPlan& plan) : plan_(plan) {
  std::set<std::int64_t> seeds;
  std::vector<std::set<std::string>> seen(plan.axes.size());
  for (const SweepRun& run : plan.runs) {
    const Values values = values_of(run);
    for (std::size_t i = 0; i < values.size(); ++i) seen[i].insert(values[i]);
    seeds.insert(run.planned.seed);
    if (rows_.emplace(values, Row()).second) order_.push_back(values);
    Row& row = rows_[values];
    ++row.runs;
    row.adapted = run.planned.adapted;
  }
  for (const auto& values : seen) varies_.push_back(values.size() > 1);
  has_seeds_ = seeds.size() > 1;
  for (auto& [values, row] : rows_) row.label = label_of(values);
}

SweepTable::Values SweepTable::values_of(const SweepRun& run) const {
  Values values;
  for (const std::string& key : plan_.axes) {
    const auto value = run.planned.values.find(key);
    values.push_back(value == run.planned.values.end() ? "" : value->second);
  }
  return values;
}

std::string SweepTable::label_of(const Values& values) const {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!varies_[i] || values[i].empty()) continue;
    const bool speaks = plan_.axes[i] == "algorithm.name";
    parts.push_back(speaks ? values[i]
                           : fmt::format("{}={}", short_name(plan_.axes[i]), values[i]));
  }
  return parts.empty() ? plan_.name : fmt::format("{}", fmt::join(parts, " "));
}

std::string SweepTable::label_of(const SweepRun& run) const {
  const std::string label = label_of(values_of(run));
  return has_seeds_ ? fmt::format("{} seed={}", label, run.planned.seed) : label;
}

void SweepTable::add_finished(const SweepRun& run, const RunSummary& summary) {
  Row& row = rows_[values_of(run)];
  row.diverged += summary.status == RunStatus::diverged ? 1 : 0;
  if (std::isfinite(summary.test_error)) row.test_errors.push_back(summary.test_error);
  if (std::isfinite(summary.best_test_error)) {
    row.best_test_errors.push_back(summary.best_test_error);
  }
  has_virtual_ = has_virtual_ || summary.virtual_seconds;
  row.seconds.push_back(summary.virtual_seconds.value_or(summary.wall_seconds));
}

void SweepTable::add_failed(const SweepRun& run) {
  ++rows_[values_of(run)].failed;
}

void SweepTable::add_stopped(const SweepRun& run, const StateEvent& state) {
  Row& row = rows_[values_of(run)];
  row.stopped_at = state.until;
  row.stopped_errors.push_back(state.result ? state.result->test_error : std::nan(""));
}

void SweepTable::add_paused(const SweepRun& run) {
  ++rows_[values_of(run)].paused;
}

std::vector<BestOf> SweepTable::best() const {
  std::vector<BestOf> all;
  for (const Values& values : order_) {
    const Row& row = rows_.at(values);
    if (row.best_test_errors.empty()) continue;
    all.push_back({row.label, row.best_test_errors.size(), mean(row.best_test_errors)});
  }
  std::ranges::stable_sort(all, {}, &BestOf::best_test_error);
  return all;
}

std::string SweepTable::text() const {
  Line head;
  for (const std::string& key : plan_.axes) head.push_back(short_name(key));
  const char* seconds = has_virtual_ ? "virtual s" : "seconds";
  for (const char* name : {"runs", "error %", "from..to", "best %", seconds, "remarks"}) {
    head.emplace_back(name);
  }
  std::vector<Line> lines = {head};
  for (const Values& values : order_) {
    const Row& row = rows_.at(values);
    Line line = values;
    line.push_back(std::to_string(row.seconds.size()));
    line.push_back(percent(row.test_errors));
    line.push_back(spread(row.test_errors));
    line.push_back(percent(row.best_test_errors));
    line.push_back(row.seconds.empty() ? "-" : fmt::format("{:.1f}", mean(row.seconds)));
    std::vector<std::string> remarks;
    if (row.failed > 0) remarks.push_back(fmt::format("{} failed", row.failed));
    if (row.diverged > 0) remarks.push_back(fmt::format("{} diverged", row.diverged));
    const std::size_t stopped = row.stopped_errors.size();
    if (stopped > 0) {
      remarks.push_back(fmt::format("{} stopped early at {}: {} %", stopped, row.stopped_at,
                                    percent(row.stopped_errors)));
    }
    if (row.paused > 0) remarks.push_back(fmt::format("{} paused", row.paused));
    const std::size_t open = row.runs - row.seconds.size() - row.failed - stopped - row.paused;
    if (open > 0) remarks.push_back(fmt::format("{} to do", open));
    for (const std::string& change : row.adapted) remarks.push_back(change);
    line.push_back(fmt::format("{}", fmt::join(remarks, ", ")));
    lines.push_back(line);
  }
  return aligned(lines, plan_.axes.size());
}

}  // namespace easgd
