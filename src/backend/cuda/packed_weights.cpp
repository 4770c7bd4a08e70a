#include "backend/cuda/packed_weights.h"

namespace easgd::cuda {

void PackedWeights::add(const Copy& copy) {
  slices_.push_back({.copy = copy.data,
                     .offset = copy.slice.offset,
                     .first = count_,
                     .channels = copy.channels,
                     .pixels = copy.pixels,
                     .padded = copy.padded,
                     .bf16 = copy.bf16});
  count_ += copy.slice.count / std::size_t(copy.channels) * std::size_t(copy.padded);
}

void PackedWeights::finish(cudaStream_t stream) {
  table_ = DeviceArray<kernels::PackedSlice>(slices_.size());
  copy(slices_.data(), table_.data(), table_.bytes(), stream);
  check(cudaStreamSynchronize(stream), "the table of packed weights on its way to the device");
}

kernels::LayerPass PackedWeights::pack(const float* flat) const {
  return kernels::PackSlices{flat, table_.data(), int(slices_.size())};
}

kernels::LayerPass PackedWeights::unpack(float* flat) const {
  return kernels::UnpackSlices{flat, table_.data(), int(slices_.size())};
}

}  // namespace easgd::cuda
