// What becomes of the running statistics of batch normalisation when workers are averaged. They are
// the tail of a network's state, no algorithm moves them, and only evaluation uses them.
#pragma once

#include <span>

#include "base/view.h"

namespace easgd {

enum class StatisticsPolicy {
  average,    ///< the center's move towards those of the letters, by 1/p of the difference each
  recompute,  ///< as average, and before an evaluation they are taken anew, at the center
  keep,       ///< each worker's are its own: the center shows those of the letter absorbed last
};

/// The tail of a network's state in a team.
struct Statistics {
  std::size_t count = 0;  ///< S
  StatisticsPolicy policy = StatisticsPolicy::average;
};

/// The center's statistics [S] after a round of letters [S], of `workers` in all.
void absorb_statistics(StatisticsPolicy policy, std::span<const ConstView> round,
                       std::size_t workers, View center);

}  // namespace easgd
