// The batches that a center is evaluated on.
#pragma once

#include <cstddef>
#include <functional>

#include "base/view.h"
#include "data/augmentation.h"
#include "data/batch.h"
#include "data/batch_ring.h"
#include "data/dataset.h"
#include "data/loader_options.h"
#include "data/normalisation.h"

namespace easgd {

struct EvaluationOptions {
  std::size_t batch = 128;
  CropOptions crop = {};  ///< the part is in the middle
  std::size_t limit = 0;  ///< see used_samples()
  Normalisation normalisation = {};
  /// Where batches lie: a CUDA device wants pinned memory.
  std::function<Buffer(std::size_t)> allocate = host_buffer;
  std::size_t slots = kBatchSlots;
  Spawn spawn = spawn_on_tbb;
};

/// A set in its own order, cut in the middle and not mirrored; the last batch may be shorter. Who
/// asks for the batches in rising order finds them ready.
///
/// Thread: belongs to one thread; the set may be shared and has to outlive the loader.
/// Throws: ConfigError and, for a set without images, DataError from the constructor; at() throws
/// what the set throws.
class EvaluationLoader {
 public:
  EvaluationLoader(const Dataset& set, const EvaluationOptions& options);

  std::size_t samples() const { return samples_; }
  std::size_t batches() const { return (samples_ + batch_size_ - 1) / batch_size_; }
  Shape shape() const { return shape_; }

  /// The batch number `index`, below batches(); its step is `index`. Valid until the next call.
  const Batch& at(std::size_t index);

 private:
  std::size_t batch_size_;
  std::size_t samples_;
  Shape shape_;
  BatchRing ring_;
};

}  // namespace easgd
