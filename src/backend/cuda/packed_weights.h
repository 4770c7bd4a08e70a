// Slices of the parameters, or of their gradient, as libraries want them: in another order, of
// another type, or merely better aligned. All copies that a model has are made in one pass.
#pragma once

#include <vector>

#include "backend/cuda/device_array.h"
#include "kernels/layer_passes.h"
#include "nn/network.h"

namespace easgd::cuda {

class PackedWeights {
 public:
  /// A slice [rows][channels][pixels] of the flat vector, and its copy [rows][pixels][padded].
  struct Copy {
    const Slice& slice;
    void* data;
    int channels, pixels, padded;
    bool bf16;  ///< the type of the copy; else float
  };
  void add(const Copy& copy);
  /// Once all are added.
  void finish(cudaStream_t stream);

  /// The pass that copies a flat vector [P] to all copies, or back; and for how many values it
  /// runs.
  kernels::LayerPass pack(const float* flat) const;
  kernels::LayerPass unpack(float* flat) const;
  std::size_t count() const { return count_; }

 private:
  std::vector<kernels::PackedSlice> slices_;
  DeviceArray<kernels::PackedSlice> table_;  // of the same
  std::size_t count_ = 0;
};

}  // namespace easgd::cuda
