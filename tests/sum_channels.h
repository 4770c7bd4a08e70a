// What kernels/launch.cu does with a sum of channels, on the host: blocks in any order, and in each
// its threads, up to every barrier.
#pragma once

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "kernels/channel_sums.h"

namespace easgd::testing {

/// `blocks` [reduction.groups * reduction.parts]: in which order.
template <class Formula>
void sum_channels(const Formula& formula, const kernels::ReductionLayout& reduction,
                  const kernels::SumsScratch& scratch, const std::vector<kernels::Index>& blocks) {
  using namespace kernels;
  std::array<Sums, ReductionLayout::kThreads> sums{};
  const auto fold_all = [&] {
    for (Index half = reduction.lanes() / 2; half > 0; half /= 2) {
      for (Index thread = 0; thread < ReductionLayout::kThreads; ++thread)
        fold(sums.data(), reduction, half, thread);
    }
  };
  for (const Index block : blocks) {
    const Index group = block % reduction.groups, part = block / reduction.groups;
    for (Index thread = 0; thread < ReductionLayout::kThreads; ++thread) {
      sums[thread] = sum_rows(formula, reduction, group, part, thread);
    }
    fold_all();
    std::copy_n(sums.begin(), reduction.width,
                scratch.partial + reduction.partial_index(group, part));
    if (++scratch.finished[group] < reduction.parts) continue;
    scratch.finished[group] = 0;
    for (Index thread = 0; thread < ReductionLayout::kThreads; ++thread) {
      sums[thread] = sum_parts(scratch.partial, reduction, group, thread);
    }
    fold_all();
    for (Index thread = 0; thread < reduction.width; ++thread) {
      const Index channel = reduction.channel(group, thread);
      if (reduction.has(channel)) formula.finish(channel, sums[thread]);
    }
  }
}

/// In their order.
template <class Formula>
void sum_channels(const Formula& formula, const kernels::ReductionLayout& reduction,
                  const kernels::SumsScratch& scratch) {
  std::vector<kernels::Index> blocks(reduction.groups * reduction.parts);
  std::iota(blocks.begin(), blocks.end(), kernels::Index{0});
  sum_channels(formula, reduction, scratch, blocks);
}

}  // namespace easgd::testing
