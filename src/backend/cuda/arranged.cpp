#include "backend/cuda/arranged.h"

namespace easgd::cuda {
namespace {

const kernels::ArrangedSlice* slices_in(const Buffer& table) {
  return reinterpret_cast<const kernels::ArrangedSlice*>(table.data());
}

}  // namespace

void Arranged::add(const Slice& slice, void* copy, int channels, int pixels, int padded,
                   bool bf16) {
  slices_.push_back({copy, slice.offset, count_, channels, pixels, padded, bf16});
  count_ += slice.count / std::size_t(channels) * std::size_t(padded);
}

void Arranged::finish(cudaStream_t stream) {
  const std::size_t bytes = slices_.size() * sizeof(kernels::ArrangedSlice);
  table_ = device_buffer(bytes / sizeof(float));
  copy(slices_.data(), table_.data(), bytes, stream);
  check(cudaStreamSynchronize(stream), "where parameters lie, on its way to the device");
}

kernels::LayerPass Arranged::take(const float* flat) const {
  return kernels::TakeSlices{flat, slices_in(table_), int(slices_.size())};
}

kernels::LayerPass Arranged::give(float* flat) const {
  return kernels::GiveSlices{flat, slices_in(table_), int(slices_.size())};
}

}  // namespace easgd::cuda
