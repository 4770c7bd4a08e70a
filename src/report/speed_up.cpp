#include "report/speed_up.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

#include "report/by_seed.h"

namespace easgd::report {
namespace {

using Kind = std::tuple<bool, std::string, std::size_t>;  // virtual, method, workers

/// A group at one level.
struct Candidate {
  SpeedRow row;
  BySeed seconds;
};

std::optional<double> seconds_to(const ReportedRun& run, const std::string& level) {
  const auto found = run.summary->time_to_error.find(level);
  if (found == run.summary->time_to_error.end() || !(found->second > 0)) return std::nullopt;
  return found->second;
}

Candidate candidate_of(const Study& study, std::size_t group, const std::string& level) {
  Candidate c;
  c.row.group = group;
  std::map<std::string, std::vector<double>> found;
  std::set<std::string> seeds;
  for (const std::size_t i : study.groups[group].runs) {
    const ReportedRun& run = study.runs[i];
    if (!run.is_complete() || !run.summary) continue;
    c.row.method = run.summary->algorithm;
    c.row.workers = run.summary->workers;
    c.row.is_virtual = run.summary->virtual_seconds.has_value();
    seeds.insert(run.seed());
    if (const auto seconds = seconds_to(run, level)) found[run.seed()].push_back(*seconds);
  }
  c.seconds = mean_by_seed(found);
  c.row.of = seeds.size();
  c.row.reached = c.seconds.size();
  c.row.seconds = spread_of(values_of(c.seconds));
  return c;
}

/// Whether all of its seeds reach it counts more than how soon some do.
bool is_quicker(const Candidate& a, const Candidate& b) {
  const auto rank = [](const Candidate& c) {
    return std::pair(-double(c.row.reached) / double(c.row.of), c.row.seconds.mean);
  };
  return rank(a) < rank(b);
}

void compare_with(const Candidate& baseline, Candidate& c) {
  const auto log_ratio = [](double own, double base) { return std::log(base / own); };
  const std::vector<double> logs = paired(c.seconds, baseline.seconds, log_ratio);
  if (logs.empty()) return;
  c.row.speed_up = std::exp(spread_of(logs).mean);
  if (logs.size() < 2 || c.row.is_baseline) return;
  const Interval i = interval_of_mean(logs);
  c.row.interval = Interval{std::exp(i.low), std::exp(i.high)};
}

/// With the quickest of one worker that has the same clock.
void find_speed_ups(std::map<Kind, Candidate>& quickest) {
  for (const bool is_virtual : {false, true}) {
    Candidate* baseline = nullptr;
    for (auto& [kind, c] : quickest) {
      const bool may_be = c.row.workers == 1 && c.row.is_virtual == is_virtual;
      if (may_be && (!baseline || is_quicker(c, *baseline))) baseline = &c;
    }
    if (!baseline) continue;
    baseline->row.is_baseline = true;
    for (auto& [kind, c] : quickest) {
      if (c.row.is_virtual == is_virtual) compare_with(*baseline, c);
    }
  }
}

}  // namespace

std::vector<std::string> levels_of(const std::vector<ReportedRun>& runs) {
  const auto higher = [](const std::string& a, const std::string& b) {
    return std::strtod(a.c_str(), nullptr) > std::strtod(b.c_str(), nullptr);
  };
  std::set<std::string, decltype(higher)> levels;
  for (const ReportedRun& run : runs) {
    if (!run.summary) continue;
    for (const auto& [level, seconds] : run.summary->time_to_error) levels.insert(level);
  }
  return {levels.begin(), levels.end()};
}

std::vector<SpeedLevel> speed_levels(const Study& study) {
  std::vector<SpeedLevel> levels;
  for (const std::string& level : levels_of(study.runs)) {
    std::map<Kind, Candidate> quickest;
    for (std::size_t g = 0; g < study.groups.size(); ++g) {
      Candidate c = candidate_of(study, g, level);
      if (c.seconds.empty()) continue;
      const Kind kind(c.row.is_virtual, c.row.method, c.row.workers);
      const auto [place, is_new] = quickest.try_emplace(kind, c);
      if (!is_new && is_quicker(c, place->second)) place->second = std::move(c);
    }
    if (quickest.empty()) continue;
    find_speed_ups(quickest);
    SpeedLevel& rows = levels.emplace_back(SpeedLevel{level, {}});
    for (auto& [kind, c] : quickest) rows.rows.push_back(std::move(c.row));
  }
  return levels;
}

}  // namespace easgd::report
