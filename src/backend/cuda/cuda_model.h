// A network compiled for a CUDA device: layers in their order, on the backend's compute stream.
// Batches come in through an Input, loss and hits go out through a LossReadback. What lies between,
// the forward and the backward pass, is the same work in every step and launched as a graph.
#pragma once

#include <memory>
#include <vector>

#include "backend/cuda/cuda_layer.h"
#include "backend/cuda/graphs.h"
#include "backend/cuda/input.h"
#include "backend/cuda/loss_readback.h"
#include "nn/lowering.h"

namespace easgd::cuda {

class CudaModel final : public Model {
 public:
  /// Throws: ConfigError for a precision or a layer CUDA does not have, DeviceError.
  CudaModel(const Network& network, const ModelOptions& options, cudaStream_t stream);
  ~CudaModel() override;

  void gradient(ConstView x, const Batch& batch, View g, View statistics) override;
  void evaluate(ConstView state, const Batch& batch) override;
  void score(ConstView state, const Batch& batch, View scores) override;
  void observe(ConstView x, const Batch& batch, float weight, View statistics) override;
  Tally take_tally() override;
  void give_back(const Tally& tally) override { readback_.give_back(tally); }
  std::size_t memory() const override { return bench_.bytes() + input_.bytes(); }

 private:
  void check_size() const;
  void make_layers();
  std::vector<Wiring> wire(const std::vector<Link>& links);
  void forward(const CudaPass& pass);
  CudaPass forward(ConstView state, const Batch& batch);
  const void* scores_of(const CudaPass& pass) const;
  void compute_loss(const CudaPass& pass);
  CudaPass load(const Batch& batch, const PassArguments& arguments);

  Workbench bench_;
  std::vector<std::unique_ptr<CudaLayer>> layers_;
  const void* loss_input_ = nullptr;  ///< the scores; null: the images
  float smoothing_ = 0;               ///< of labels
  void* scores_gradient_ = nullptr;
  void* images_ = nullptr;  ///< in the format, if they do not come so
  Input input_;
  LossReadback readback_;
  Graphs graphs_;
  struct {
    bool gradient = false, evaluate = false, observe = false;
  } loaded_;  ///< their kernels
};

}  // namespace easgd::cuda
