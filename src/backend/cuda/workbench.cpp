#include "backend/cuda/workbench.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda/current_device.h"
#include "backend/cuda/device_locks.h"
#include "backend/precision.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {

namespace {

Format format_of(const std::string& precision) {
  const Precision parsed =
      parse_precision(precision, "CUDA", {Precision::f32, Precision::tf32, Precision::bf16});
  return {.channels_last = parsed != Precision::f32, .bf16 = parsed == Precision::bf16};
}

}  // namespace

Workbench::Workbench(const Network& network, const ModelOptions& options, cudaStream_t stream)
    : network_(network),
      options_(options),
      format_(format_of(options.precision)),
      stream_(stream),
      device_(current_device()) {
  const DeviceSyncLock lock(device_);  // libraries wait for the device where they begin and end
  check(cudnnCreate(cudnn_.put()), "cudnnCreate");
  check(cudnnSetStream(cudnn_, stream_), "cudnnSetStream");
  check(cublasLtCreate(cublas_.put()), "cublasLtCreate");
}

Workbench::~Workbench() {
  const DeviceSyncLock lock(device_);
  cudnn_ = {};
  cublas_ = {};
}

std::byte* Workbench::make_bytes(std::size_t bytes) {
  const DeviceArray<std::byte>& memory = arrays_.emplace_back(bytes);
  bytes_ += bytes;
  return memory.data();
}

kernels::ReductionLayout Workbench::reduction(Shape shape) {
  const auto reduction = kernels::ReductionLayout::of(layout(shape), batch());
  partial_count_ = std::max<std::size_t>(partial_count_, reduction.partial_count());
  groups_ = std::max<std::size_t>(groups_, reduction.groups);
  return reduction;
}

void Workbench::reserve(std::size_t bytes) {
  workspace_bytes_ = std::max(workspace_bytes_, bytes);
}

void Workbench::finish() {
  workspace_ = DeviceArray<std::byte>(workspace_bytes_);
  parameters_.finish(stream_);
  gradients_.finish(stream_);
  partial_sums_ = DeviceArray<kernels::Sums>(partial_count_);
  finished_ = DeviceArray<std::uint32_t>(groups_);
  bytes_ += workspace_.bytes() + partial_sums_.bytes() + finished_.bytes();
}

namespace {

template <class... Arguments>
void launch(const Arguments&... arguments) {
  try {
    kernels::launch(arguments...);
  } catch (const std::exception& e) {
    throw DeviceError(fmt::format("cuda: a layer's kernel: {}", e.what()));
  }
}

}  // namespace

void Workbench::run(const kernels::LayerPass& pass, std::size_t count) const {
  if (count > 0) launch(pass, count, stream_);
}

void Workbench::run(const kernels::ChannelSum& sum,
                    const kernels::ReductionLayout& reduction) const {
  const kernels::SumsScratch scratch{partial_sums_.data(), finished_.data()};
  launch(sum, reduction, scratch, stream_);
}

}  // namespace easgd::cuda
