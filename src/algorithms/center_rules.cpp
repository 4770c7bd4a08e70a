#include "algorithms/center_rules.h"

#include <algorithm>

namespace easgd {

void ElasticCenter::absorb(std::span<const Letter> round, View center) {
  letters_.clear();
  for (const Letter& letter : round) {
    letters_.push_back({letter.values.data(), letter.reply.data(), letter.alpha});
  }
  kernels::elastic(letters_.data(), letters_.size(), center.data(), center.size());
}

void PublishedCenter::absorb(std::span<const Letter> round, View center) {
  std::ranges::copy(round.back().values, center.begin());
}

}  // namespace easgd
