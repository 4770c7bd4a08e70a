// Parameters as libraries want them.
#pragma once

#include "backend/cuda/workbench.h"

namespace easgd::cuda {

/// A slice of the flat vector starts wherever the layers before have left off; cuDNN wants
/// boundaries of 16 bytes. Where it does not lie on one, it is copied.
class AlignedSlice {
 public:
  AlignedSlice() = default;
  AlignedSlice(Workbench& bench, const Slice& slice)
      : bytes_(slice.count * sizeof(float)),
        copy_(slice.offset % 4 == 0 ? nullptr : bench.make_floats(slice.count)) {}

  const float* read(const Workbench& bench, const float* values) const {
    if (copy_) copy(values, copy_, bytes_, bench.stream());
    return copy_ ? copy_ : values;
  }
  float* place(float* values) const { return copy_ ? copy_ : values; }
  /// After place() has been written.
  void write(const Workbench& bench, float* values) const {
    if (copy_) copy(copy_, values, bytes_, bench.stream());
  }

 private:
  std::size_t bytes_ = 0;
  float* copy_ = nullptr;
};

}  // namespace easgd::cuda
