#include "sweep/halving.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace easgd {

Halving::Halving(const Shape& shape) : shape_(shape), candidates_(shape.candidates) {
  for (Candidate& candidate : candidates_) candidate.results.resize(shape.rungs + 1);
}

void Halving::begin(std::size_t candidate, std::size_t level) {
  std::optional<std::size_t>& now = candidates_[candidate].level;
  now = std::max(now.value_or(0), level);
}

void Halving::report(std::size_t candidate, std::size_t level, double value) {
  begin(candidate, level);
  candidates_[candidate].results[level] = value;
}

bool Halving::rests_at(std::size_t candidate, std::size_t level) const {
  const Candidate& c = candidates_[candidate];
  return c.level == level && c.results[level];
}

bool Halving::somebody_has_ended_well() const {
  return std::ranges::any_of(candidates_, [this](const Candidate& c) {
    const std::optional<double>& result = c.results[end()];
    return result && std::isfinite(*result);
  });
}

bool Halving::somebody_is_at_work() const {
  return std::ranges::any_of(candidates_,
                             [](const Candidate& c) { return c.level && !c.results[*c.level]; });
}

/// Whoever has a result at that level, the best first. Of equals the first comes first.
std::vector<std::size_t> Halving::ranked(std::size_t level) const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].results[level]) all.push_back(i);
  }
  const auto value = [&](std::size_t i) {
    const double result = *candidates_[i].results[level];
    return std::isfinite(result) ? result : HUGE_VAL;
  };
  std::ranges::stable_sort(all, {}, value);
  return all;
}

/// The first of the `best` best that rests there, if its result is finite.
std::optional<Halving::Step> Halving::first_resting(std::size_t level, std::size_t best) const {
  const std::vector<std::size_t> order = ranked(level);
  for (std::size_t i = 0; i < std::min(best, order.size()); ++i) {
    if (!std::isfinite(*candidates_[order[i]].results[level])) break;
    if (rests_at(order[i], level)) return Step{order[i], level + 1};
  }
  return std::nullopt;
}

std::optional<Halving::Step> Halving::next() const {
  for (std::size_t level = end(); level-- > 0;) {
    const std::size_t results = ranked(level).size();
    if (const auto step = first_resting(level, results / shape_.eta)) return step;
  }
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (!candidates_[i].level) return Step{i, 0};
  }
  if (somebody_is_at_work() || somebody_has_ended_well()) return std::nullopt;
  for (std::size_t level = end(); level-- > 0;) {
    if (const auto step = first_resting(level, candidates_.size())) return step;
  }
  return std::nullopt;
}

std::vector<std::size_t> Halving::losers() const {
  const bool is_over = !next() && !somebody_is_at_work();
  // Until one has ended well, each may have to step in for those that are lost on their way.
  const bool is_decided = is_over || somebody_has_ended_well();
  std::vector<std::size_t> losers;
  std::size_t possible = candidates_.size();  // that may come to the level
  for (std::size_t level = 0; level < end(); ++level) {
    // One may have to go on though it is none of floor(n / eta).
    const std::size_t places = is_over ? 0 : std::max<std::size_t>(1, possible / shape_.eta);
    const std::vector<std::size_t> order = ranked(level);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool is_finite = std::isfinite(*candidates_[order[i]].results[level]);
      const bool is_out = !is_finite || (is_decided && i >= places);
      if (!is_out || !rests_at(order[i], level)) continue;
      losers.push_back(order[i]);
      --possible;
    }
  }
  return losers;
}

}  // namespace easgd
