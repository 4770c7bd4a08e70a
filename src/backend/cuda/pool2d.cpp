#include "nn/pool2d.h"

#include "backend/cuda/cuda_layer.h"

namespace easgd::cuda {
namespace {

class PoolLayer : public CudaLayer {
 protected:
  PoolLayer(const Workbench& bench, const Wiring& wiring) : CudaLayer(wiring) {
    const auto& pool = dynamic_cast<const Pool2d&>(*wiring.stage->layer);
    const Shape in = wiring.stage->input, out = wiring.stage->output;
    windows_ = {.channels = in.channels,
                .down = {in.height, out.height, int(pool.kernel.height), int(pool.stride.height),
                         int(pool.pad.height)},
                .right = {in.width, out.width, int(pool.kernel.width), int(pool.stride.width),
                          int(pool.pad.width)},
                .channels_last = bench.format().channels_last};
    inputs_ = bench.options().batch * in.size();
    outputs_ = bench.options().batch * out.size();
  }

  kernels::Windows windows_;
  std::size_t inputs_, outputs_;  // values of a batch
};

class MaxPoolLayer final : public PoolLayer {
 public:
  MaxPoolLayer(Workbench& bench, const Wiring& wiring)
      : PoolLayer(bench, wiring), argmax_(bench.make<std::uint16_t>(outputs_)) {}

  void forward(const Workbench& bench, const CudaPass& pass) override {
    bench.with_type([&]<class T>(T) {
      bench.run(kernels::MaxPoolForward<T>{values<T>(wiring_.output), argmax_,
                                           values<T>(wiring_.input(pass)), windows_},
                outputs_);
    });
  }
  void backward(const Workbench& bench, const CudaPass&) override {
    const auto [to, add] = wiring_.gradients[0];
    if (!to) return;
    bench.with_type([&, to = to, add = add]<class T>(T) {
      bench.run(kernels::MaxPoolBackward<T>{values<T>(to), values<T>(wiring_.output_gradient),
                                            argmax_, windows_, add},
                inputs_);
    });
  }

 private:
  std::uint16_t* const argmax_;  // of each output: which input of its window
};

class AveragePoolLayer final : public PoolLayer {
 public:
  AveragePoolLayer(const Workbench& bench, const Wiring& wiring) : PoolLayer(bench, wiring) {}

  void forward(const Workbench& bench, const CudaPass& pass) override {
    bench.with_type([&]<class T>(T) {
      bench.run(kernels::AveragePoolForward<T>{values<T>(wiring_.output),
                                               values<T>(wiring_.input(pass)), windows_},
                outputs_);
    });
  }
  void backward(const Workbench& bench, const CudaPass&) override {
    const auto [to, add] = wiring_.gradients[0];
    if (!to) return;
    bench.with_type([&, to = to, add = add]<class T>(T) {
      bench.run(kernels::AveragePoolBackward<T>{values<T>(to), values<T>(wiring_.output_gradient),
                                                windows_, add},
                inputs_);
    });
  }
};

const Registered<CudaLayerEntry> kMax(MaxPool2d().kind(), cuda_layer<MaxPoolLayer>());
const Registered<CudaLayerEntry> kAverage(AvgPool2d().kind(), cuda_layer<AveragePoolLayer>());

}  // namespace
}  // namespace easgd::cuda
