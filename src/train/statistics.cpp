#include "train/statistics.h"

#include <algorithm>

#include "base/error.h"

namespace easgd {

std::vector<std::string> statistics_policy_names() {
  return {"average", "recompute", "keep"};  // in the order of the policies
}

StatisticsPolicy statistics_policy_named(const std::string& name) {
  const auto names = statistics_policy_names();
  const auto it = std::ranges::find(names, name);
  if (it != names.end()) return StatisticsPolicy(it - names.begin());
  throw KeyError("network.statistics", "no such policy: " + name);
}

void absorb_statistics(StatisticsPolicy policy, std::span<const ConstView> round,
                       std::size_t workers, View center) {
  if (policy == StatisticsPolicy::keep) {
    std::ranges::copy(round.back(), center.begin());
    return;
  }
  for (std::size_t i = 0; i < center.size(); ++i) {
    float difference = 0;
    for (const ConstView letter : round) difference += letter[i] - center[i];
    center[i] += difference / float(workers);
  }
}

}  // namespace easgd
