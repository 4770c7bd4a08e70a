#include "backend/cuda/workbench.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda/graphs.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {

Workbench::Workbench(const Network& network, const ModelOptions& options, cudaStream_t stream)
    : network_(network), options_(options), stream_(stream) {
  const std::lock_guard lock(
      recording());  // libraries wait for the device where they begin and end
  check(cudnnCreate(cudnn_.place()), "cudnnCreate");
  check(cudnnSetStream(cudnn_, stream_), "cudnnSetStream");
  check(cublasLtCreate(cublas_.place()), "cublasLtCreate");
}

Workbench::~Workbench() {
  const std::lock_guard lock(recording());
  cudnn_ = {};
  cublas_ = {};
}

float* Workbench::make_floats(std::size_t count) {
  buffers_.push_back(device_buffer(count));
  bytes_ += count * sizeof(float);
  return buffers_.back().data();
}

void Workbench::reserve(std::size_t bytes) {
  workspace_bytes_ = std::max(workspace_bytes_, bytes);
}

void Workbench::finish() {
  workspace_ = device_buffer((workspace_bytes_ + sizeof(float) - 1) / sizeof(float));
  bytes_ += workspace_bytes_;
}

void Workbench::run(const kernels::LayerPass& pass, std::size_t count) const {
  try {
    kernels::launch(pass, count, stream_);
  } catch (const std::exception& e) {
    throw DeviceError(fmt::format("cuda: a layer's kernel: {}", e.what()));
  }
}

}  // namespace easgd::cuda
