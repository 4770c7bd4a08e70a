#include "algorithms/statistics_policy.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace easgd {

namespace {

const std::map<std::string, StatisticsPolicy> kPolicies = {
    {"average", StatisticsPolicy::average},
    {"recompute", StatisticsPolicy::recompute},
    {"keep", StatisticsPolicy::keep}};

}  // namespace

std::vector<std::string> statistics_policy_names() {
  std::vector<std::string> names;
  for (const auto& [name, policy] : kPolicies) names.push_back(name);
  return names;
}

StatisticsPolicy statistics_policy_named(const std::string& name) {
  const auto it = kPolicies.find(name);
  if (it == kPolicies.end()) throw KeyError("network.statistics", "no such policy: " + name);
  return it->second;
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
