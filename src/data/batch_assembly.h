// How the batch of a step is put together.
#pragma once

#include <cstdint>
#include <vector>

#include "base/view.h"
#include "data/batch.h"
#include "kernels/crop.h"

namespace easgd {

/// A batch and the memory that it lies in.
struct BatchMemory {
  Buffer images;
  std::vector<std::int32_t> labels;
  std::vector<kernels::Crop> crops;
  Batch batch;
};

/// Thread: immutable; several batches may be built at once.
class BatchAssembly {
 public:
  virtual ~BatchAssembly() = default;
  virtual BatchMemory make_memory() const = 0;
  /// Builds the batch of step `to.batch.step`, a function of that step alone.
  virtual void build(BatchMemory& to) const = 0;
};

}  // namespace easgd
