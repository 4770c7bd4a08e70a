// What evaluations and training steps count.
#pragma once

#include <cstdint>

namespace easgd {

/// Sums over the samples seen since the tally was last taken.
struct Tally {
  double loss = 0;  ///< sum of the samples' losses
  std::int64_t hits = 0;
  std::int64_t samples = 0;

  void operator+=(const Tally& t) { loss += t.loss, hits += t.hits, samples += t.samples; }
  /// Not a number if there are no samples.
  double mean_loss() const { return loss / double(samples); }
  double error() const { return samples ? double(samples - hits) / double(samples) : 0; }
};

}  // namespace easgd
