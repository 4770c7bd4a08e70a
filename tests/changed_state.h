// What somebody may have made of a section of a checkpoint.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/saved_state.h"

namespace easgd::testing {

using Change = std::function<void(SavedState&)>;

/// Values that nobody has saved, of whatever a section has.
inline std::vector<Change> changes_of(const SavedState& saved) {
  std::vector<Change> changes;
  const auto add = [&](auto SavedState::*all, const std::string& name, const auto& change) {
    changes.push_back([=](SavedState& s) { change((s.*all).at(name)); });
  };
  const auto add_sizes = [&](auto SavedState::*all, const std::string& name) {
    changes.push_back([=](SavedState& s) { (s.*all).erase(name); });
    add(all, name, [](auto& list) { list.push_back({}); });
    add(all, name, [](auto& list) { list.empty() ? list.push_back({}) : list.pop_back(); });
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const auto& [name, values] : saved.vectors) add_sizes(&SavedState::vectors, name);
  for (const auto& [name, values] : saved.texts) {
    add_sizes(&SavedState::texts, name);
    add(&SavedState::texts, name, [](auto& text) { std::ranges::fill(text, '\xff'); });
  }
  for (const auto& [name, values] : saved.counters) {
    add_sizes(&SavedState::counters, name);
    for (const std::uint64_t value : {0ull, 1ull, 5ull, 40ull, 1ull << 63, ~0ull}) {
      add(&SavedState::counters, name, [=](auto& list) { std::ranges::fill(list, value); });
    }
  }
  for (const auto& [name, values] : saved.numbers) {
    add_sizes(&SavedState::numbers, name);
    for (const double value : {0.0, -1e300, 1e300, kInfinity, -kInfinity, double(NAN)}) {
      add(&SavedState::numbers, name, [=](auto& list) { std::ranges::fill(list, value); });
    }
  }
  return changes;
}

}  // namespace easgd::testing
