#include "sweep/open_plan.h"

#include <algorithm>

#include "sweep/combinations.h"

namespace easgd {
namespace {

constexpr std::size_t kMostTried = 500;

/// The file with two values of each range, and one seed.
SweepFile ends_of(SweepFile file) {
  for (Axes& axes : file.groups) {
    for (Axis& axis : axes) {
      if (axis.range) axis.points = {axis.at(0), axis.at(1)};
    }
  }
  file.seeds.resize(std::min<std::size_t>(1, file.seeds.size()));
  return file;
}

}  // namespace

SweepPlan open_plan(const SweepFile& file, const std::vector<std::string>& overrides) {
  SweepPlan plan;
  plan.name = file.name;
  plan.axes = file.axes;
  plan.is_open = true;
  plan.base = base_identity(file, overrides);
  const SweepFile ends = ends_of(file);
  const std::size_t count = count_combinations(ends), tried = std::min(count, kMostTried);
  for (std::size_t i = 0; i < tried; ++i) {
    const Combination combination = combination_at(ends, i * count / tried);
    for (const SweepRun& run : plan_combination(ends, overrides, combination)) {
      plan.most_devices = std::max(plan.most_devices, run.demand.devices);
    }
  }
  return plan;
}

}  // namespace easgd
