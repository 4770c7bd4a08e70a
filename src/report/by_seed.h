// Figures that are paired by the seeds of their runs.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace easgd::report {

using BySeed = std::map<std::string, double>;

/// One of each seed: the mean of what its runs have.
BySeed mean_by_seed(const std::map<std::string, std::vector<double>>& figures);

/// In the order of the seeds.
std::vector<double> values_of(const BySeed& figures);

/// `compare(one, other)` of each seed that both have, in the order of the seeds.
std::vector<double> paired(const BySeed& ones, const BySeed& others,
                           const std::function<double(double, double)>& compare);

}  // namespace easgd::report
