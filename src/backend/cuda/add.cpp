#include "nn/add.h"

#include "backend/cuda/cuda_layer.h"

namespace easgd::cuda {
namespace {

class AddLayer final : public CudaLayer {
 public:
  AddLayer(const Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring), count_(bench.options().batch * wiring.stage->input.size()) {}

  void forward(const Workbench& bench, const CudaPass& pass) override {
    bench.with_type([&]<class T>(T) {
      bench.run(kernels::Sum<T>{values<T>(wiring_.output), values<T>(wiring_.input(pass, 0)),
                                values<T>(wiring_.input(pass, 1))},
                count_);
    });
  }
  void backward(const Workbench& bench, const CudaPass&) override {
    bench.with_type([&]<class T>(T) {
      const T* dy = values<T>(wiring_.output_gradient);
      for (const auto& [to, add] : wiring_.gradients) {
        if (to) bench.run(kernels::AddTo<T>{values<T>(to), dy, add}, count_);
      }
    });
  }

 private:
  const std::size_t count_;
};

const Registered<CudaLayerEntry> kRegistered(Add().kind(), cuda_layer<AddLayer>());

}  // namespace
}  // namespace easgd::cuda
