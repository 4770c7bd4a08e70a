// The mask is drawn anew in the backward pass: it is a function of counters.
#include "nn/dropout.h"

#include "backend/cuda/cuda_layer.h"
#include "nn/dropout_draws.h"

namespace easgd::cuda {
namespace {

class DropoutLayer final : public CudaLayer {
 public:
  DropoutLayer(const Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring),
        draws_(count_draws(bench.network(), wiring.stage->layer.get())),
        rate_(float(dynamic_cast<const Dropout&>(*wiring.stage->layer).rate)) {}

  void forward(const Workbench& bench, const CudaPass& pass) override {
    const float rate = pass.training ? rate_ : 0.0f;
    run(bench, pass, {wiring_.output, false}, wiring_.input(pass), rate);
  }
  void backward(const Workbench& bench, const CudaPass& pass) override {
    if (wiring_.gradients[0].to) {
      run(bench, pass, wiring_.gradients[0], wiring_.output_gradient, rate_);
    }
  }

 private:
  void run(const Workbench& bench, const CudaPass& pass, Wiring::Gradient to, const void* from,
           float rate) const {
    const Shape shape = wiring_.stage->input;
    const kernels::Random random{bench.options().seed, kernels::Stream::dropout, pass.worker};
    bench.with_type([&]<class T>(T) {
      bench.run(kernels::DropoutPass<T>{.y = values<T>(to.to),
                                        .x = values<T>(from),
                                        .add = to.add,
                                        .random = random,
                                        .step = pass.step,
                                        .draws_per_sample = draws_.per_sample,
                                        .draws_before = draws_.before,
                                        .layout = bench.layout(shape),
                                        .rate = rate},
                bench.options().batch * shape.size());
    });
  }

  const DropoutDraws draws_;
  const float rate_;
};

const Registered<CudaLayerEntry> kRegistered(Dropout().kind(), cuda_layer<DropoutLayer>());

}  // namespace
}  // namespace easgd::cuda
