// A layer compiled for a CUDA device. Values are of the workbench's format; parameters and
// statistics are float32.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backend/cuda/workbench.h"
#include "backend/pass_arguments.h"

namespace easgd::cuda {

/// One pass over the network.
struct CudaPass : PassArguments {
  const float* arrived = nullptr;        ///< the images as they came, [N][C][H][W]
  const void* images = nullptr;          ///< the same as values
  const std::int32_t* labels = nullptr;  ///< [N]
  int samples = 0;                       ///< that count: in evaluation a batch may be short
  std::uint32_t worker = 0;
  const std::uint64_t* step = nullptr;
};

/// The memory that a link reads and writes.
struct Wiring {
  /// Of the gradient with regard to one input.
  struct Gradient {
    void* to = nullptr;  ///< null if it is not wanted
    bool add = false;    ///< to what another taker of the value has left there
  };

  const Stage* stage = nullptr;
  bool relu = false;                     ///< the output is that of the ReLU which follows
  std::vector<const void*> inputs;       ///< null: the images
  void* output = nullptr;                ///< none of a loss
  void* output_gradient = nullptr;       ///< in training
  std::vector<Gradient> gradients = {};  ///< of the inputs, in training

  const void* input(const CudaPass& pass, std::size_t i = 0) const {
    return inputs[i] ? inputs[i] : pass.images;
  }
  /// A parameter of the stage, in x or g.
  const float* slice(ConstView flat, std::size_t i) const {
    return flat.data() + stage->slices[i].offset;
  }
  float* slice(View flat, std::size_t i) const { return flat.data() + stage->slices[i].offset; }
};

/// Values as what they are.
template <class T>
T* values(void* p) {
  return static_cast<T*>(p);
}
template <class T>
const T* values(const void* p) {
  return static_cast<const T*>(p);
}

class CudaLayer {
 public:
  explicit CudaLayer(Wiring wiring) : wiring_(std::move(wiring)) {}
  virtual ~CudaLayer() = default;
  CudaLayer(const CudaLayer&) = delete;

  virtual void forward(const Workbench& bench, const CudaPass& pass) = 0;
  virtual void backward(const Workbench& bench, const CudaPass& pass) = 0;

 protected:
  const Wiring wiring_;
};

/// The device's side of one kind of layer. Registered under Layer::kind.
struct CudaLayerEntry {
  std::function<std::unique_ptr<CudaLayer>(Workbench& bench, const Wiring& wiring)> make;
  /// It heeds Wiring::relu.
  bool absorbs_relu = false;
};

template <class L>
CudaLayerEntry cuda_layer(bool absorbs_relu = false) {
  return {[](Workbench& bench, const Wiring& wiring) { return std::make_unique<L>(bench, wiring); },
          absorbs_relu};
}

}  // namespace easgd::cuda
