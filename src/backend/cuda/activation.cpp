#include "nn/activation.h"

#include "backend/cuda/cuda_layer.h"

namespace easgd::cuda {
namespace {

template <template <class> class Forward, template <class> class Backward>
class ActivationLayer final : public CudaLayer {
 public:
  ActivationLayer(const Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring), count_(bench.options().batch * wiring.stage->input.size()) {}

  void forward(const Workbench& bench, const CudaPass& pass) override {
    bench.with_type([&]<class T>(T) {
      bench.run(Forward<T>{values<T>(wiring_.output), values<T>(wiring_.input(pass))}, count_);
    });
  }
  void backward(const Workbench& bench, const CudaPass&) override {
    const auto [to, add] = wiring_.gradients[0];
    if (!to) return;
    bench.with_type([&, to = to, add = add]<class T>(T) {
      bench.run(Backward<T>{values<T>(to), values<T>(wiring_.output_gradient),
                            values<T>(wiring_.output), add},
                count_);
    });
  }

 private:
  const std::size_t count_;
};

using ReluLayer = ActivationLayer<kernels::ReluForward, kernels::ReluBackward>;
using TanhLayer = ActivationLayer<kernels::TanhForward, kernels::TanhBackward>;
const Registered<CudaLayerEntry> kRelu(Relu().kind(), cuda_layer<ReluLayer>());
const Registered<CudaLayerEntry> kTanh(Tanh().kind(), cuda_layer<TanhLayer>());

}  // namespace
}  // namespace easgd::cuda
