#include "backend/cuda/workbench.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cuda/graphs.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {

namespace {

constexpr int kThreads = 1 << 16;  // that fill a device, or nearly
constexpr int kLeastRows = 16;     // of a thread that adds up

Format format_of(const std::string& precision) {
  if (precision == "f32") return {};
  if (precision == "tf32") return {.channels_last = true};
  if (precision == "bf16") return {.channels_last = true, .bf16 = true};
  throw KeyError("workers.precision",
                 fmt::format("CUDA has no \"{}\": use \"f32\", \"tf32\" or \"bf16\"", precision));
}

}  // namespace

Workbench::Workbench(const Network& network, const ModelOptions& options, cudaStream_t stream)
    : network_(network), options_(options), format_(format_of(options.precision)), stream_(stream) {
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

double* Workbench::make_doubles(std::size_t count) {
  return reinterpret_cast<double*>(make_floats(2 * count));
}

void* Workbench::make_values(std::size_t count) {
  return make_floats((count * format_.bytes() + sizeof(float) - 1) / sizeof(float));
}

kernels::Rows Workbench::rows(Shape shape) const {
  const int rows = batch() * shape.height * shape.width;
  const int most = std::max(1, kThreads / shape.channels);
  return {layout(shape), batch(), std::clamp(rows / kLeastRows, 1, most)};
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
