// A batch as the step loop sees it, and where batches come from.
#pragma once

#include <cstdint>
#include <span>

#include "base/view.h"

namespace easgd {

/// Normalised images and labels in host memory.
struct Batch {
  ConstView images;                      ///< [N][C][H][W], pixel / 255 normalised per channel
  std::span<const std::int32_t> labels;  ///< [N]
  std::uint32_t worker = 0;              ///< with `step`, the counter of the batch's random numbers
  std::uint64_t step = 0;                ///< the worker's clock

  std::size_t size() const { return labels.size(); }
};

/// An endless sequence of batches that is a function of (seed, worker, step) alone.
/// Thread: belongs to one worker.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The batch of this step. Steps are asked for in rising order; a batch is valid until the next
  /// call.
  virtual const Batch& next(std::uint64_t step) = 0;
};

}  // namespace easgd
