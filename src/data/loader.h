// The training batches of one worker.
#pragma once

#include <memory>

#include "data/batch_ring.h"
#include "data/dataset.h"
#include "data/loader_options.h"

namespace easgd {

class TrainingAssembly;

/// What is in a batch is a function of (set, options, step) alone; threads and timing change
/// nothing. Every batch is full; if one pass ends inside a batch, the next begins there.
///
/// Thread: belongs to one worker; the set may be shared and has to outlive the loader.
/// Throws: ConfigError from the constructor, DataError for a set without images; next() throws what
/// the set threw while that batch was made, and can be called again.
class Loader final : public BatchSource {
 public:
  Loader(const Dataset& set, const LoaderOptions& options);

  const Batch& next(std::uint64_t step) override { return ring_.next(step); }

  /// Side lengths of the images in the batches.
  Shape shape() const { return shape_; }

 private:
  Loader(std::unique_ptr<const TrainingAssembly> assembly, const LoaderOptions& options);

  Shape shape_;
  BatchRing ring_;
};

}  // namespace easgd
