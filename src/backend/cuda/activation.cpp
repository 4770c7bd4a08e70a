#include "nn/activation.h"

#include "backend/cuda/cuda_layer.h"

namespace easgd::cuda {
namespace {

/// Which of a layer's values its gradient is a function of.
enum class Of { input, output };

template <template <class> class Forward, template <class> class Backward, Of kOf>
class ActivationLayer final : public CudaLayer {
 public:
  ActivationLayer(const Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring), count_(bench.options().batch * wiring.stage->input.size()) {}

  void forward(const Workbench& bench, const CudaPass& pass) override {
    bench.with_type([&]<class T>(T) {
      bench.run(Forward<T>{values<T>(wiring_.output), values<T>(wiring_.input(pass))}, count_);
    });
  }
  void backward(const Workbench& bench, const CudaPass& pass) override {
    const auto [to, add] = wiring_.gradients[0];
    if (!to) return;
    const void* of = kOf == Of::input ? wiring_.input(pass) : wiring_.output;
    bench.with_type([&, to = to, add = add]<class T>(T) {
      bench.run(Backward<T>{values<T>(to), values<T>(wiring_.output_gradient), values<T>(of), add},
                count_);
    });
  }

 private:
  const std::size_t count_;
};

using ReluLayer = ActivationLayer<kernels::ReluForward, kernels::ReluBackward, Of::output>;
using TanhLayer = ActivationLayer<kernels::TanhForward, kernels::TanhBackward, Of::output>;
using GeluLayer = ActivationLayer<kernels::GeluForward, kernels::GeluBackward, Of::input>;
using SiluLayer = ActivationLayer<kernels::SiluForward, kernels::SiluBackward, Of::input>;
const Registered<CudaLayerEntry> kRelu(Relu().kind(), cuda_layer<ReluLayer>());
const Registered<CudaLayerEntry> kTanh(Tanh().kind(), cuda_layer<TanhLayer>());
const Registered<CudaLayerEntry> kGelu(Gelu().kind(), cuda_layer<GeluLayer>());
const Registered<CudaLayerEntry> kSilu(Silu().kind(), cuda_layer<SiluLayer>());

}  // namespace
}  // namespace easgd::cuda
