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
        reduction_(bench.reduction(wiring.stage->input)),
        channels_(std::size_t(reduction_.layout.channels)),
        values_(bench.options().batch * wiring.stage->input.size()),
        running_mean_(wiring.stage->statistics[0].offset - bench.network().parameter_count()),
        running_variance_(wiring.stage->statistics[1].offset - bench.network().parameter_count()),
        mean_(bench.make<float>(channels_)),
        deviation_(bench.make<float>(channels_)) {}

  void forward(const Workbench& bench, const CudaPass& pass) override {
    const bool fixed = !pass.fixed.empty();
    const float* mean = fixed ? pass.fixed.data() + running_mean_ : mean_;
    if (fixed) {
      bench.run(
          kernels::DeviationOf{deviation_, pass.fixed.data() + running_variance_, options_.epsilon},
          channels_);
    } else {
      take_moments(bench, pass);
    }
    bench.with_type([&]<class T>(T) {
      bench.run(kernels::BatchNormForward<T>{.y = values<T>(wiring_.output),
                                             .x = values<T>(wiring_.input(pass)),
                                             .mean = mean,
                                             .deviation = deviation_,
                                             .weight = wiring_.slice(pass.x, 0),
                                             .bias = wiring_.slice(pass.x, 1),
                                             .layout = reduction_.layout,
                                             .relu = wiring_.relu},
                values_);
    });
  }

  void backward(const Workbench& bench, const CudaPass& pass) override {
    float *dweight = wiring_.slice(pass.g, 0), *dbias = wiring_.slice(pass.g, 1);
    bench.with_type([&]<class T>(T) {
      const T* x = values<T>(wiring_.input(pass));
      const T* y = wiring_.relu ? values<T>(wiring_.output) : nullptr;
      T* dy = values<T>(wiring_.output_gradient);
      bench.run(kernels::BatchNormGradient<T>{.dbias = dbias,
                                              .dweight = dweight,
                                              .dy = dy,
                                              .y = y,
                                              .x = x,
                                              .mean = mean_,
                                              .deviation = deviation_},
                reduction_);
      const auto [to, add] = wiring_.gradients[0];
      if (!to) return;
      bench.run(kernels::BatchNormBackward<T>{.dx = values<T>(to),
                                              .dy = dy,
                                              .x = x,
                                              .mean = mean_,
                                              .deviation = deviation_,
                                              .weight = wiring_.slice(pass.x, 0),
                                              .dbias = dbias,
                                              .dweight = dweight,
                                              .count = float(reduction_.rows),
                                              .layout = reduction_.layout,
                                              .add = add},
                values_);
    });
  }

 private:
  /// Mean and deviation of the batch; moves the running statistics towards its own.
  void take_moments(const Workbench& bench, const CudaPass& pass) const {
    const auto moved = [&](std::size_t offset) {
      return pass.moved.empty() ? nullptr : pass.moved.data() + offset;
    };
    bench.with_type([&]<class T>(T) {
      bench.run(kernels::BatchMoments<T>{.mean = mean_,
                                         .deviation = deviation_,
                                         .moved_mean = moved(running_mean_),
                                         .moved_variance = moved(running_variance_),
                                         .x = values<T>(wiring_.input(pass)),
                                         .count = double(reduction_.rows),
                                         .epsilon = options_.epsilon,
                                         .weight = pass.weight.value_or(float(options_.momentum))},
                reduction_);
    });
  }

  const BatchNorm& options_;
  const kernels::ReductionLayout reduction_;
  const std::size_t channels_, values_;
  const std::size_t running_mean_, running_variance_;  // where they lie in the statistics [S]
  float *mean_, *deviation_;  // of the batch; the latter as 1 / sqrt(variance + epsilon)
};

const Registered<CudaLayerEntry> kRegistered(BatchNorm().kind(),
                                             cuda_layer<BatchNormLayer>(/*absorbs_relu=*/true));

}  // namespace
}  // namespace easgd::cuda
