// Slices of the parameters, or of their gradient, as libraries want them: in another order, of
// another type, or merely better aligned. All that a model has copies of are copied in one pass.
#pragma once

#include <vector>

#include "backend/cuda/stream.h"
#include "kernels/layer_passes.h"
#include "nn/network.h"

namespace easgd::cuda {

class Arranged {
 public:
  /// `copy` is the slice [rows][channels][pixels] as [rows][pixels][padded].
  void add(const Slice& slice, void* copy, int channels, int pixels, int padded, bool bf16);
  /// Once all are added.
  void finish(cudaStream_t stream);

  /// What copies a flat vector [P] to all copies, or back; and how often it is called.
  kernels::LayerPass take(const float* flat) const;
  kernels::LayerPass give(float* flat) const;
  std::size_t count() const { return count_; }

 private:
  std::vector<kernels::ArrangedSlice> slices_;
  Buffer table_;  // of the same, on the device
  std::size_t count_ = 0;
};

}  // namespace easgd::cuda
