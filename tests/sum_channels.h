// What kernels/launch.cu does with a sum of channels, on the host: blocks in any order, and in each
// its threads, up to every barrier.
#pragma once

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "kernels/channel_sums.h"

namespace easgd::testing {

/// `blocks` [deal.groups * deal.parts]: in which order.
template <class Formula>
void sum_channels(const Formula& formula, const kernels::Deal& deal,
                  const kernels::SumsPlace& place, const std::vector<kernels::Index>& blocks) {
  using namespace kernels;
  std::array<Sums, Deal::kThreads> sums{};
  const auto fold_all = [&] {
    for (Index half = deal.lanes() / 2; half > 0; half /= 2) {
      for (Index thread = 0; thread < Deal::kThreads; ++thread)
        fold(sums.data(), deal, half, thread);
    }
  };
  for (const Index block : blocks) {
    const Index group = block % deal.groups, part = block / deal.groups;
    for (Index thread = 0; thread < Deal::kThreads; ++thread) {
      sums[thread] = sum_rows(formula, deal, group, part, thread);
    }
    fold_all();
    std::copy_n(sums.begin(), deal.width, place.partial + deal.place(group, part));
    if (++place.finished[group] < deal.parts) continue;
    place.finished[group] = 0;
    for (Index thread = 0; thread < Deal::kThreads; ++thread) {
      sums[thread] = sum_parts(place.partial, deal, group, thread);
    }
    fold_all();
    for (Index thread = 0; thread < deal.width; ++thread) {
      const Index channel = deal.channel(group, thread);
      if (deal.has(channel)) formula.finish(channel, sums[thread]);
    }
  }
}

/// In their order.
template <class Formula>
void sum_channels(const Formula& formula, const kernels::Deal& deal,
                  const kernels::SumsPlace& place) {
  std::vector<kernels::Index> blocks(deal.groups * deal.parts);
  std::iota(blocks.begin(), blocks.end(), kernels::Index{0});
  sum_channels(formula, deal, place, blocks);
}

}  // namespace easgd::testing
