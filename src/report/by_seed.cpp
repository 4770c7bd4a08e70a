#include "report/by_seed.h"

#include "report/statistics.h"

namespace easgd::report {

BySeed mean_by_seed(const std::map<std::string, std::vector<double>>& figures) {
  BySeed means;
  for (const auto& [seed, values] : figures) means[seed] = spread_of(values).mean;
  return means;
}

std::vector<double> values_of(const BySeed& figures) {
  std::vector<double> values;
  for (const auto& [seed, value] : figures) values.push_back(value);
  return values;
}

std::vector<double> paired(const BySeed& ones, const BySeed& others,
                           const std::function<double(double, double)>& compare) {
  std::vector<double> results;
  for (const auto& [seed, one] : ones) {
    const auto other = others.find(seed);
    if (other != others.end()) results.push_back(compare(one, other->second));
  }
  return results;
}

}  // namespace easgd::report
