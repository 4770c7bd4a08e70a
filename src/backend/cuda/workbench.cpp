#include "backend/cuda/workbench.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {

namespace {

Format format_of(const std::string& precision) {
  if (precision == "f32") return {};
  if (precision == "tf32") return {.channels_last = true};
  if (precision == "bf16") return {.channels_last = true, .bf16 = true};
  throw KeyError("workers.precision",
                 fmt::format("CUDA has no \"{}\": use \"f32\", \"tf32\" or \"bf16\"", precision));
}

}  // namespace

Workbench::Workbench(const Network& network, const ModelOptions& options, cudaStream_t stream)
    : network_(network),
      options_(options),
      format_(format_of(options.precision)),
      stream_(stream),
      device_(current_device()) {
  const Alone alone(device_);  // libraries wait for the device where they begin and end
  check(cudnnCreate(cudnn_.place()), "cudnnCreate");
  check(cudnnSetStream(cudnn_, stream_), "cudnnSetStream");
  check(cublasLtCreate(cublas_.place()), "cublasLtCreate");
}

Workbench::~Workbench() {
  const Alone alone(device_);
  cudnn_ = {};
  cublas_ = {};
}

float* Workbench::make_floats(std::size_t count) {
  buffers_.push_back(device_buffer(count));
  bytes_ += count * sizeof(float);
  return buffers_.back().data();
}

void* Workbench::make_values(std::size_t count) {
  return make_floats((count * format_.bytes() + sizeof(float) - 1) / sizeof(float));
}

kernels::Deal Workbench::deal(Shape shape) {
  const auto deal = kernels::Deal::of(layout(shape), batch());
  places_ = std::max<std::size_t>(places_, deal.places());
  groups_ = std::max<std::size_t>(groups_, deal.groups);
  return deal;
}

void Workbench::reserve(std::size_t bytes) {
  workspace_bytes_ = std::max(workspace_bytes_, bytes);
}

void Workbench::finish() {
  workspace_ = device_buffer((workspace_bytes_ + sizeof(float) - 1) / sizeof(float));
  parameters_.finish(stream_);
  gradients_.finish(stream_);
  partial_sums_ = device_buffer(places_ * sizeof(kernels::Sums) / sizeof(float));
  finished_ = device_buffer(groups_);
  bytes_ += workspace_bytes_ + partial_sums_.view().size_bytes() + finished_.view().size_bytes();
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

void Workbench::run(const kernels::ChannelSum& sum, const kernels::Deal& deal) const {
  const kernels::SumsPlace place{reinterpret_cast<kernels::Sums*>(partial_sums_.data()),
                                 reinterpret_cast<std::uint32_t*>(finished_.data())};
  launch(sum, deal, place, stream_);
}

}  // namespace easgd::cuda
