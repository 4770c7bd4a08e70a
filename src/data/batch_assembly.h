// How the batch of a step is put together.
#pragma once

#include <cstdint>
#include <limits>
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

/// Builds batches in parts, which several threads may build at the same time.
/// Thread: immutable.
class BatchAssembly {
 public:
  virtual ~BatchAssembly() = default;
  virtual BatchMemory make_memory() const = 0;
  /// How many batches there are: steps below that.
  virtual std::uint64_t batches() const { return std::numeric_limits<std::uint64_t>::max(); }
  /// Of every batch; 1..BatchParts::kMost.
  virtual std::uint32_t parts() const = 0;
  /// Makes `to.batch` that of step `to.batch.step`, but for what is in it.
  virtual void begin(BatchMemory&) const {}
  /// Builds one part of the batch of step `to.batch.step`, a function of that step alone.
  virtual void build_part(std::uint32_t part, BatchMemory& to) const = 0;
};

}  // namespace easgd
