// Batch normalisation, and the ReLU after it, in passes of our own (nn/batch_norm.h has the
// formula): two sums a channel, and then every value, forward and backward.
#include "nn/batch_norm.h"

#include "backend/cuda/cuda_layer.h"

namespace easgd::cuda {
namespace {

class BatchNormLayer final : public CudaLayer {
 public:
  BatchNormLayer(Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring),
        options_(dynamic_cast<const BatchNorm&>(*wiring.stage->layer)),
        deal_(bench.deal(wiring.stage->input)),
        channels_(std::size_t(deal_.layout.channels)),
        values_(bench.options().batch * wiring.stage->input.size()),
        running_mean_(wiring.stage->statistics[0].offset - bench.network().parameter_count()),
        running_variance_(wiring.stage->statistics[1].offset - bench.network().parameter_count()),
        mean_(bench.make_floats(channels_)),
        deviation_(bench.make_floats(channels_)) {}

  void forward(const Workbench& bench, const Pass& pass) override {
    const float* mean = pass.fixed ? pass.fixed + running_mean_ : mean_;
    if (pass.fixed) {
      bench.run(kernels::DeviationOf{deviation_, pass.fixed + running_variance_, options_.epsilon},
                channels_);
    } else {
      take_moments(bench, pass);
    }
    bench.with_type([&]<class T>(T) {
      bench.run(
          kernels::BatchNormForward<T>{values<T>(wiring_.output), values<T>(wiring_.input(pass)),
                                       mean, deviation_, wiring_.slice(pass.x, 0),
                                       wiring_.slice(pass.x, 1), deal_.layout, wiring_.relu},
          values_);
    });
  }

  void backward(const Workbench& bench, const Pass& pass) override {
    float *dweight = wiring_.slice(pass.g, 0), *dbias = wiring_.slice(pass.g, 1);
    bench.with_type([&]<class T>(T) {
      const T* x = values<T>(wiring_.input(pass));
      const T* y = wiring_.relu ? values<T>(wiring_.output) : nullptr;
      T* dy = values<T>(wiring_.output_gradient);
      bench.run(kernels::BatchNormGradient<T>{dbias, dweight, dy, y, x, mean_, deviation_}, deal_);
      const auto [to, add] = wiring_.gradients[0];
      if (!to) return;
      bench.run(kernels::BatchNormBackward<T>{values<T>(to), dy, x, mean_, deviation_,
                                              wiring_.slice(pass.x, 0), dbias, dweight,
                                              float(deal_.rows), deal_.layout, add},
                values_);
    });
  }

 private:
  /// Of the batch; moves the running ones towards them.
  void take_moments(const Workbench& bench, const Pass& pass) const {
    bench.with_type([&]<class T>(T) {
      bench.run(
          kernels::BatchMoments<T>{
              mean_, deviation_, pass.moved ? pass.moved + running_mean_ : nullptr,
              pass.moved ? pass.moved + running_variance_ : nullptr, values<T>(wiring_.input(pass)),
              double(deal_.rows), options_.epsilon, pass.weight.value_or(float(options_.momentum))},
          deal_);
    });
  }

  const BatchNorm& options_;
  const kernels::Deal deal_;
  const std::size_t channels_, values_;
  const std::size_t running_mean_, running_variance_;  // where they lie in the statistics [S]
  float *mean_, *deviation_;  // of the batch; the latter as 1 / sqrt(variance + epsilon)
};

const Registered<CudaLayerEntry> kRegistered(BatchNorm().kind(),
                                             cuda_layer<BatchNormLayer>(/*absorbs_relu=*/true));

}  // namespace
}  // namespace easgd::cuda
