// A network compiled for a CUDA device: layers in their order, on the backend's compute stream.
//
// Images and labels come through two device buffers in turn, on a stream of their own, so that a
// batch crosses while the step before it computes. What the host waits for is that the batch has
// left the loader's memory. Loss and hits of each sample come back the same way, some batches late, and
// are added up here.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "backend/cuda/cuda_layer.h"

namespace easgd::cuda {

class CudaModel final : public Model {
 public:
  /// Throws: ConfigError for a precision or a layer CUDA does not have, DeviceError.
  CudaModel(const Network& network, const ModelOptions& options, cudaStream_t stream);
  ~CudaModel() override;

  void gradient(ConstView x, const Batch& batch, View g, View statistics) override;
  void evaluate(ConstView state, const Batch& batch) override;
  void observe(ConstView x, const Batch& batch, float weight, View statistics) override;
  Tally take_tally() override;
  std::size_t memory() const override { return bench_.bytes(); }

 private:
  struct Input {
    float* images = nullptr;
    std::int32_t* labels = nullptr;
    Event read;  ///< by the pass that it was for
  };
  /// Loss and hits of a batch on their way to the host.
  struct Count {
    Buffer pinned;  ///< as counts_
    Event arrived;
    std::int64_t samples = 0;
  };

  void make_layers();
  void forward(const Pass& pass);
  void count(const Pass& pass);
  Pass load(const Batch& batch);
  void unload();
  void harvest(bool wait);

  Workbench bench_;
  std::vector<std::unique_ptr<CudaLayer>> layers_;
  const float* loss_input_ = nullptr;  ///< the scores; null: the images
  float* scores_gradient_ = nullptr;
  float* counts_ = nullptr;  ///< of each sample: losses, [N] doubles, and hits, [N] 32-bit integers
  Stream input_stream_;
  Event loaded_;
  std::array<Input, 2> inputs_;
  std::size_t turn_ = 0;
  std::deque<Count> in_flight_;
  std::vector<Count> idle_;
  Tally tally_;
};

}  // namespace easgd::cuda
