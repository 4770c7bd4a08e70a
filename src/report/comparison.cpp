#include "report/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace easgd::report {
namespace {

/// Below it the same sign with every seed says little: it comes by chance in 2 of 2^4 cases.
constexpr std::size_t kEnoughPairs = 5;

std::optional<double> finite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// Figures of different data are not compared. Each group's data set; all the same if none differ.
std::vector<std::string> data_sets_of(const Study& study) {
  const auto axis = std::ranges::find(study.axes, "data.set", &Axis::key);
  std::vector<std::string> sets;
  for (const Group& group : study.groups) {
    const bool differs = axis != study.axes.end();
    sets.push_back(differs ? group.values[std::size_t(axis - study.axes.begin())] : "");
  }
  return sets;
}

/// Of each data set.
std::map<std::string, std::size_t> best_of(const std::vector<BySeed>& figures,
                                           const std::vector<std::string>& sets) {
  std::map<std::string, std::size_t> most, best;
  for (std::size_t g = 0; g < figures.size(); ++g) {
    most[sets[g]] = std::max(most[sets[g]], figures[g].size());
  }
  const auto mean = [&](std::size_t g) { return spread_of(values_of(figures[g])).mean; };
  for (std::size_t g = 0; g < figures.size(); ++g) {
    if (figures[g].empty() || 2 * figures[g].size() < most[sets[g]]) continue;
    const auto known = best.find(sets[g]);
    if (known == best.end() || mean(g) < mean(known->second)) best[sets[g]] = g;
  }
  return best;
}

Verdict verdict_of(const Comparison& c) {
  if (c.pairs == 0) return Verdict::no_common_seed;
  if (c.pairs == 1) return Verdict::one_seed;
  if (c.interval->holds(0)) return Verdict::not_distinguishable;
  if (c.interval->high < 0) return Verdict::lower;
  return c.pairs < kEnoughPairs ? Verdict::too_few_seeds : Verdict::higher;
}

void compare_with(const BySeed& best, const BySeed& own, Comparison& c) {
  const std::vector<double> differences = paired(own, best, std::minus<>());
  c.pairs = differences.size();
  c.difference = spread_of(differences).mean;
  if (c.pairs > 1) c.interval = interval_of_mean(differences);
  c.verdict = verdict_of(c);
}

}  // namespace

std::optional<double> test_error(const ReportedRun& run) {
  return run.summary ? finite(run.summary->test_error) : std::nullopt;
}

std::optional<double> best_test_error(const ReportedRun& run) {
  return run.summary ? finite(run.summary->best_test_error) : std::nullopt;
}

std::string words_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::none:
      return "no finished run";
    case Verdict::best:
      return "lowest";
    case Verdict::no_common_seed:
      return "no seed in common with the lowest";
    case Verdict::one_seed:
      return "one seed: no spread to judge by";
    case Verdict::not_distinguishable:
      return "not distinguishable";
    case Verdict::too_few_seeds:
      return "higher with every seed, too few to be sure";
    case Verdict::lower:
      return "lower with the seeds in common";
    case Verdict::higher:
      return "higher";
  }
  return {};
}

BySeed by_seed(const Study& study, const Group& group, Measure measure) {
  std::map<std::string, std::vector<double>> found;
  for (const std::size_t i : group.runs) {
    const ReportedRun& run = study.runs[i];
    const auto value = run.is_complete() ? measure(run) : std::nullopt;
    if (value) found[run.seed()].push_back(*value);
  }
  return mean_by_seed(found);
}

std::vector<Comparison> compare(const Study& study, Measure measure) {
  std::vector<BySeed> figures;
  for (const Group& group : study.groups) figures.push_back(by_seed(study, group, measure));
  const std::vector<std::string> sets = data_sets_of(study);
  const auto all_best = best_of(figures, sets);
  std::vector<Comparison> all(figures.size());
  for (std::size_t g = 0; g < figures.size(); ++g) {
    if (figures[g].empty()) continue;
    all[g].spread = spread_of(values_of(figures[g]));
    const std::size_t best = all_best.at(sets[g]);
    if (g == best) {
      all[g].verdict = Verdict::best;
      all[g].pairs = figures[g].size();
    } else {
      compare_with(figures[best], figures[g], all[g]);
    }
  }
  return all;
}

}  // namespace easgd::report
