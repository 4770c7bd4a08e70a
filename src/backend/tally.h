// What evaluations and training steps count.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace easgd {

/// Sums over the samples seen since the tally was last taken.
struct Tally {
  static constexpr std::int32_t kNoRank = std::numeric_limits<std::int32_t>::max();
  static constexpr std::int64_t kUnknown = -1;

  double loss = 0;        ///< sum of the samples' losses
  std::int64_t hits = 0;  ///< samples whose label has the highest score
  std::int64_t samples = 0;
  std::int64_t top5_hits = 0;  ///< one of the five highest; kUnknown in logs of earlier programs

  /// One sample; `rank`: classes before its label in the order of the scores, of which the lower
  /// class comes first in a tie; kNoRank if a score is no number.
  void add(double sample_loss, std::int32_t rank) {
    *this += {sample_loss, rank == 0, 1, rank < 5};
  }
  void operator+=(const Tally& t) {
    loss += t.loss, hits += t.hits, samples += t.samples, top5_hits += t.top5_hits;
  }
  /// Not a number if there are no samples.
  double mean_loss() const { return loss / double(samples); }
  double error() const { return samples ? double(samples - hits) / double(samples) : 0; }
  /// Nothing where it says little, of ten classes or fewer.
  std::optional<double> top5_error(int classes) const {
    if (classes <= 10 || top5_hits == kUnknown) return std::nullopt;
    return samples ? double(samples - top5_hits) / double(samples) : 0;
  }
};

}  // namespace easgd
