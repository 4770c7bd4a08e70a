// Batch normalisation, and the ReLU after it, in passes of our own (nn/batch_norm.h has the
// formula): the mean, the variance about it, and then every value; backward two sums a channel, and
// then every value.
#include "nn/batch_norm.h"

#include "backend/cuda/cuda_layer.h"

namespace easgd::cuda {
namespace {

class BatchNormLayer final : public CudaLayer {
 public:
  BatchNormLayer(Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring),
        options_(dynamic_cast<const BatchNorm&>(*wiring.stage->layer)),
        rows_(bench.rows(wiring.stage->input)),
        channels_(std::size_t(rows_.layout.channels)),
        threads_(channels_ * std::size_t(rows_.parts)),
        values_(bench.options().batch * wiring.stage->input.size()),
        rows_of_channel_(double(bench.batch()) * rows_.layout.pixels),
        running_mean_(wiring.stage->statistics[0].offset - bench.network().parameter_count()),
        running_variance_(wiring.stage->statistics[1].offset - bench.network().parameter_count()),
        mean_(bench.make_floats(channels_)),
        deviation_(bench.make_floats(channels_)),
        sums_(bench.make_doubles(2 * threads_)) {}

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
                                       wiring_.slice(pass.x, 1), rows_.layout, wiring_.relu},
          values_);
    });
  }

  void backward(const Workbench& bench, const Pass& pass) override {
    float *dweight = wiring_.slice(pass.g, 0), *dbias = wiring_.slice(pass.g, 1);
    bench.with_type([&]<class T>(T) {
      const T* x = values<T>(wiring_.input(pass));
      const T* y = wiring_.relu ? values<T>(wiring_.output) : nullptr;
      T* dy = values<T>(wiring_.output_gradient);
      bench.run(kernels::BatchNormSums<T>{sums_, dy, y, x, mean_, deviation_, rows_}, threads_);
      add_up(bench, sums_, dbias, 1);
      add_up(bench, sums_ + threads_, dweight, 1);
      const auto [to, add] = wiring_.gradients[0];
      if (!to) return;
      bench.run(kernels::BatchNormBackward<T>{values<T>(to), dy, x, mean_, deviation_,
                                              wiring_.slice(pass.x, 0), dbias, dweight,
                                              float(rows_of_channel_), rows_.layout, add},
                values_);
    });
  }

 private:
  /// Of the batch; moves the running ones towards them.
  void take_moments(const Workbench& bench, const Pass& pass) const {
    bench.with_type([&]<class T>(T) {
      const T* x = values<T>(wiring_.input(pass));
      bench.run(kernels::MeanSums<T>{sums_, x, rows_}, threads_);
      add_up(bench, sums_, mean_, 1 / rows_of_channel_);
      bench.run(kernels::VarianceSums<T>{sums_, x, mean_, rows_}, threads_);
    });
    bench.run(
        kernels::FinishVariance{deviation_, pass.moved ? pass.moved + running_mean_ : nullptr,
                                pass.moved ? pass.moved + running_variance_ : nullptr, mean_, sums_,
                                int(channels_), rows_.parts, rows_of_channel_, options_.epsilon,
                                pass.weight.value_or(float(options_.momentum))},
        channels_);
  }

  void add_up(const Workbench& bench, const double* sums, float* to, double scale) const {
    bench.run(kernels::SumParts{to, sums, int(channels_), rows_.parts, scale}, channels_);
  }

  const BatchNorm& options_;
  const kernels::Rows rows_;
  const std::size_t channels_, threads_, values_;
  const double rows_of_channel_;                       // N H W
  const std::size_t running_mean_, running_variance_;  // where they lie in the statistics [S]
  float *mean_, *deviation_;  // of the batch; the latter as 1 / sqrt(variance + epsilon)
  double* sums_;              // [2][parts][C]
};

const Registered<CudaLayerEntry> kRegistered(BatchNorm().kind(),
                                             cuda_layer<BatchNormLayer>(/*absorbs_relu=*/true));

}  // namespace
}  // namespace easgd::cuda
