#include "nn/pool2d.h"

#include "backend/cuda/cuda_layer.h"
#include "backend/cuda/descriptor.h"

namespace easgd::cuda {
namespace {

using PoolingDescriptor = Handle<cudnnPoolingDescriptor_t, cudnnDestroyPoolingDescriptor>;

template <cudnnPoolingMode_t kMode>
class PoolLayer final : public CudaLayer {
 public:
  PoolLayer(const Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring),
        input_(describe(bench.batch(), wiring.stage->input)),
        output_(describe(bench.batch(), wiring.stage->output)) {
    const auto& pool = dynamic_cast<const Pool2d&>(*wiring.stage->layer);
    const int k = int(pool.kernel), s = int(pool.stride);
    check(cudnnCreatePoolingDescriptor(pooling_.place()), "cudnnCreatePoolingDescriptor");
    check(cudnnSetPooling2dDescriptor(pooling_, kMode, CUDNN_PROPAGATE_NAN, k, k, 0, 0, s, s),
          "cudnnSetPooling2dDescriptor");
  }

  void forward(const Workbench& bench, const Pass& pass) override {
    check(cudnnPoolingForward(bench.cudnn(), pooling_, &kOne, input_, wiring_.input(pass), &kZero,
                              output_, wiring_.output),
          "cudnnPoolingForward");
  }

  void backward(const Workbench& bench, const Pass& pass) override {
    const auto [to, add] = wiring_.gradients[0];
    if (!to) return;
    check(cudnnPoolingBackward(bench.cudnn(), pooling_, &kOne, output_, wiring_.output, output_,
                               wiring_.output_gradient, input_, wiring_.input(pass), kept(add),
                               input_, to),
          "cudnnPoolingBackward");
  }

 private:
  PoolingDescriptor pooling_;
  TensorDescriptor input_, output_;
};

using MaxLayer = PoolLayer<CUDNN_POOLING_MAX_DETERMINISTIC>;
using AverageLayer = PoolLayer<CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING>;
const Registered<CudaLayerEntry> kMax(MaxPool2d().kind(), cuda_layer<MaxLayer>());
const Registered<CudaLayerEntry> kAverage(AvgPool2d().kind(), cuda_layer<AverageLayer>());

}  // namespace
}  // namespace easgd::cuda
