// Batch normalisation by cuDNN: nn/batch_norm.h has the formula, cuDNN's running variance is the
// unbiased one too.
#include "nn/batch_norm.h"

#include "backend/cuda/cuda_layer.h"
#include "backend/cuda/descriptor.h"

namespace easgd::cuda {
namespace {

constexpr auto kMode = CUDNN_BATCHNORM_SPATIAL;

class BatchNormLayer final : public CudaLayer {
 public:
  BatchNormLayer(Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring),
        options_(dynamic_cast<const BatchNorm&>(*wiring.stage->layer)),
        values_(describe(bench.batch(), wiring.stage->input)),
        channels_(describe(1, {wiring.stage->input.channels, 1, 1})),
        mean_(wiring.stage->statistics[0].offset - bench.network().parameter_count()),
        variance_(wiring.stage->statistics[1].offset - bench.network().parameter_count()),
        batch_mean_(bench.make_floats(wiring.stage->slices[0].count)),
        batch_deviation_(bench.make_floats(wiring.stage->slices[0].count)) {
    if (bench.options().training && !wiring.gradients[0].to) {
      unwanted_ = bench.make_floats(bench.options().batch * wiring.stage->input.size());
    }
  }

  void forward(const Workbench& bench, const Pass& pass) override {
    const float *weight = wiring_.slice(pass.x, 0), *bias = wiring_.slice(pass.x, 1);
    if (pass.fixed) {
      check(cudnnBatchNormalizationForwardInference(bench.cudnn(), kMode, &kOne, &kZero, values_,
                                                    wiring_.input(pass), values_, wiring_.output,
                                                    channels_, weight, bias, pass.fixed + mean_,
                                                    pass.fixed + variance_, options_.epsilon),
            "cudnnBatchNormalizationForwardInference");
      return;
    }
    check(cudnnBatchNormalizationForwardTraining(
              bench.cudnn(), kMode, &kOne, &kZero, values_, wiring_.input(pass), values_,
              wiring_.output, channels_, weight, bias,
              double(pass.weight.value_or(float(options_.momentum))),
              pass.moved ? pass.moved + mean_ : nullptr,
              pass.moved ? pass.moved + variance_ : nullptr, options_.epsilon, batch_mean_,
              batch_deviation_),
          "cudnnBatchNormalizationForwardTraining");
  }

  void backward(const Workbench& bench, const Pass& pass) override {
    const auto [to, add] = wiring_.gradients[0];
    check(cudnnBatchNormalizationBackward(
              bench.cudnn(), kMode, &kOne, kept(add), &kOne, &kZero, values_, wiring_.input(pass),
              values_, wiring_.output_gradient, values_, to ? to : unwanted_, channels_,
              wiring_.slice(pass.x, 0), wiring_.slice(pass.g, 0), wiring_.slice(pass.g, 1),
              options_.epsilon, batch_mean_, batch_deviation_),
          "cudnnBatchNormalizationBackward");
  }

 private:
  const BatchNorm& options_;
  TensorDescriptor values_, channels_;
  const std::size_t mean_, variance_;  // where they lie in the statistics [S]
  float* unwanted_ = nullptr;          // gradient of the input, which cuDNN has to put somewhere
  float *batch_mean_,
      *batch_deviation_;  // of the batch; the latter as 1 / sqrt(variance + epsilon)
};

const Registered<CudaLayerEntry> kRegistered(BatchNorm().kind(), cuda_layer<BatchNormLayer>());

}  // namespace
}  // namespace easgd::cuda
