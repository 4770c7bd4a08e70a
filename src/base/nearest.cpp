#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace easgd {
namespace {

/// Least number of inserted, deleted, replaced or swapped letters (optimal string alignment).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = std::exchange(last, row);
  }
  return last[b.size()];
}

constexpr std::size_t kBeginning = 3;  // letters that stand for the rest of a word

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  // Twice the distance: of two that are as far, the one with the same first letter is meant.
  std::size_t best_distance = 2 + 2 * std::max<std::size_t>(1, word.size() / 3);
  for (const std::string& candidate : candidates) {
    const bool begun = word.size() >= kBeginning && candidate.starts_with(word);
    const bool same_start = !word.empty() && candidate.starts_with(word[0]);
    const std::size_t distance = 2 * (begun ? 1 : edit_distance(word, candidate)) + !same_start;
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string guess = nearest(word, candidates);
  return guess.empty() ? "" : "; did you mean \"" + guess + "\"?";
}

}  // namespace easgd
