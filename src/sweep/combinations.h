// Which values the runs of a sweep have: every combination, or some that are drawn.
#pragma once

#include <cstddef>
#include <vector>

#include "sweep/sweep_file.h"

namespace easgd {

using Combination = std::vector<Setting>;

/// How many combinations a grid has, over all groups; at most 2^40 a group.
std::size_t count_combinations(const SweepFile& file);

/// Of a grid, the last axis turning first.
Combination combination_at(const SweepFile& file, std::size_t index);

/// What random search draws: a group, then a value of each axis, all equally likely; in a
/// logarithmic range, its logarithm. A function of `index` alone.
Combination draw(const SweepFile& file, std::size_t index);

}  // namespace easgd
