#include "report/groups.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "report/axes.h"

namespace easgd::report {
namespace {

/// Places of a run's values among those of the axes.
using Places = std::vector<std::size_t>;

Places places_of(const ReportedRun& run, const std::vector<Axis>& axes) {
  Places places;
  for (const Axis& axis : axes) {
    const auto found = std::ranges::find(axis.values, value_of(run, axis.key));
    places.push_back(std::size_t(found - axis.values.begin()));
  }
  return places;
}

/// How many groups `labels` tell apart.
std::size_t distinct(const std::vector<std::string>& labels) {
  return std::set<std::string>(labels.begin(), labels.end()).size();
}

/// The texts, each with the value of its group on that axis.
std::vector<std::string> with_words(std::vector<std::string> texts,
                                    const std::vector<Group>& groups, const std::string& key,
                                    std::size_t axis) {
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::string words = words_of(key, groups[g].values[axis]);
    if (!words.empty()) texts[g] += (texts[g].empty() ? "" : " ") + words;
  }
  return texts;
}

/// Axis by axis, as long as there are groups of the same label that it tells apart. Method, p and
/// tau are named wherever they differ: people ask for these first.
void label(std::vector<Group>& groups, const std::vector<Axis>& axes) {
  static const std::set<std::string> kAlways = {"data.set", "algorithm.name", "workers.devices",
                                                "algorithm.tau"};
  std::vector<std::string> labels(groups.size()), unnamed(groups.size());
  std::vector<std::size_t> order(axes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t a) { return rank_of(axes[a].key); });
  for (const std::size_t a : order) {
    const std::vector<std::string> longer = with_words(labels, groups, axes[a].key, a);
    const bool helps = distinct(longer) > distinct(labels);
    if (helps || kAlways.contains(axes[a].key)) {
      labels = longer;
    } else {
      unnamed = with_words(unnamed, groups, axes[a].key, a);
    }
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    groups[g].label = labels[g].empty() ? "all runs" : labels[g];
    groups[g].unnamed = unnamed[g];
  }
}

}  // namespace

std::vector<Group> groups_of(const std::vector<ReportedRun>& runs, const std::vector<Axis>& axes) {
  std::map<Places, Group> found;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].settings.empty()) continue;
    found[places_of(runs[i], axes)].runs.push_back(i);
  }
  std::vector<Group> groups;
  for (auto& [places, group] : found) {
    for (std::size_t a = 0; a < axes.size(); ++a) {
      group.values.push_back(axes[a].values[places[a]]);
    }
    groups.push_back(std::move(group));
  }
  label(groups, axes);
  return groups;
}

}  // namespace easgd::report
