// What the layers of one model share: the libraries' handles, which work on the backend's compute
// stream, device memory, and one workspace that every layer uses in turn.
#pragma once

#include <vector>

#include "backend/cuda/convolution_plan.h"
#include "backend/cuda/packed_weights.h"
#include "backend/cuda/stream.h"
#include "backend/model.h"
#include "kernels/bf16.h"
#include "kernels/layer_passes.h"

namespace easgd::cuda {

using Cudnn = Handle<cudnnHandle_t, cudnnDestroy>;
using CublasLt = Handle<cublasLtHandle_t, cublasLtDestroy>;

class Workbench {
 public:
  Workbench(const Network& network, const ModelOptions& options, cudaStream_t stream);
  ~Workbench();

  const Network& network() const { return network_; }
  const ModelOptions& options() const { return options_; }
  int batch() const { return int(options_.batch); }
  const Format& format() const { return format_; }
  /// Factors of products may be rounded before these are added up in float32.
  bool tensor_cores() const { return format_.channels_last; }
  cudnnHandle_t cudnn() const { return cudnn_; }
  cublasLtHandle_t cublas() const { return cublas_; }
  int device() const { return device_; }
  cudaStream_t stream() const { return stream_; }

  /// Zeroed device memory that lives as long as the model.
  template <class T>
  T* make(std::size_t count) {
    return reinterpret_cast<T*>(make_bytes(count * sizeof(T)));
  }
  /// The same of the format's type.
  void* make_values(std::size_t count) { return make_bytes(count * format_.bytes()); }
  /// How a batch of values of this shape lies.
  kernels::Layout layout(Shape shape) const {
    return {shape.channels, shape.height * shape.width, format_.channels_last};
  }
  /// How sums over the channels of such a batch are shared out.
  kernels::ReductionLayout reduction(Shape shape);
  /// Calls f with a zero of the format's type.
  template <class Function>
  void with_type(const Function& f) const {
    if (format_.bf16) {
      f(kernels::Bf16());
    } else {
      f(float());
    }
  }
  /// Copies of parameters, packed before each forward pass; and of gradients, unpacked after each
  /// backward pass.
  PackedWeights& parameters() { return parameters_; }
  PackedWeights& gradients() { return gradients_; }
  void pack_parameters(const float* x) const { run(parameters_.pack(x), parameters_.count()); }
  void unpack_gradients(float* g) const { run(gradients_.unpack(g), gradients_.count()); }
  /// The workspace will have at least so many bytes.
  void reserve(std::size_t bytes);
  /// Gives the workspace its memory, once all layers are made.
  void finish();
  void* workspace() const { return workspace_.data(); }
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  std::size_t bytes() const { return bytes_; }

  /// One pass of our own as the next work of the stream.
  void run(const kernels::LayerPass& pass, std::size_t count) const;
  /// The sums of all channels, likewise.
  void run(const kernels::ChannelSum& sum, const kernels::ReductionLayout& reduction) const;

 private:
  std::byte* make_bytes(std::size_t bytes);

  Network network_;
  ModelOptions options_;
  const Format format_;
  cudaStream_t stream_;
  const int device_;
  Cudnn cudnn_;
  CublasLt cublas_;
  std::vector<DeviceArray<std::byte>> arrays_;
  DeviceArray<std::byte> workspace_;
  std::size_t workspace_bytes_ = 0, bytes_ = 0;
  PackedWeights parameters_, gradients_;
  DeviceArray<kernels::Sums> partial_sums_;
  DeviceArray<std::uint32_t> finished_;
  std::size_t partial_count_ = 0, groups_ = 0;  // of those
};

}  // namespace easgd::cuda
