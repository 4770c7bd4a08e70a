// What the layers of one model share: the libraries' handles, which work on the backend's compute
// stream, device memory, and one workspace that every layer uses in turn.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/cuda/stream.h"
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
  /// Products may be rounded to ten bits of mantissa before they are added up in float32.
  bool tf32() const { return options_.precision == "tf32"; }
  cudnnHandle_t cudnn() const { return cudnn_; }
  cublasLtHandle_t cublas() const { return cublas_; }
  cudaStream_t stream() const { return stream_; }

  /// Zeroed device memory that lives as long as the model.
  float* make_floats(std::size_t count);
  /// The workspace will have at least so many bytes.
  void reserve(std::size_t bytes);
  /// Gives the workspace its memory, once all layers are made.
  void finish();
  void* workspace() const { return workspace_.data(); }
  std::size_t workspace_bytes() const { return workspace_bytes_; }
  std::size_t bytes() const { return bytes_; }

  /// One pass of our own as the next work of the stream.
  void run(const kernels::LayerPass& pass, std::size_t count) const;

 private:
  Network network_;
  ModelOptions options_;
  cudaStream_t stream_;
  Cudnn cudnn_;
  CublasLt cublas_;
  std::vector<Buffer> buffers_;
  Buffer workspace_;
  std::size_t workspace_bytes_ = 0, bytes_ = 0;
};

}  // namespace easgd::cuda
