// A batch as the step loop sees it, and where batches come from.
#pragma once

#include <cstdint>
#include <span>

#include "base/view.h"
#include "data/dataset.h"
#include "kernels/crop.h"

namespace easgd {

/// A training set for a device to keep, of images of one size, and what its samples become.
struct ResidentSet {
  const Dataset* set = nullptr;
  std::size_t samples = 0;        ///< the first ones, which are used
  Shape output;                   ///< of a sample that has been cut out
  std::span<const float> levels;  ///< [C][256], the normalised value of each pixel level

  std::size_t bytes() const { return samples * set->shape().size(); }
};

/// Normalised images and labels in host memory; or, instead of images, how they are cut out of a
/// set that the device keeps.
struct Batch {
  ConstView images;                      ///< [N][C][H][W], pixel / 255 normalised per channel
  std::span<const std::int32_t> labels;  ///< [N]
  std::uint32_t worker = 0;              ///< with `step`, the counter of the batch's random numbers
  std::uint64_t step = 0;                ///< the worker's clock
  std::span<const kernels::Crop> crops = {};  ///< [N], if there are no images
  const ResidentSet* resident = nullptr;      ///< what they are cut out of

  std::size_t size() const { return labels.size(); }
};

/// An endless sequence of batches that is a function of (seed, worker, step) alone.
/// Thread: belongs to one worker.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The batch of any step, valid until the next call. Who asks for the steps in rising order finds
  /// them ready.
  virtual const Batch& next(std::uint64_t step) = 0;
};

}  // namespace easgd
