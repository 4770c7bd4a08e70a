#include "algorithms/statistics_policy.h"

#include <algorithm>

namespace easgd {

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
