// y = W x + b. To cuBLAS, which counts columns first, the weights [outputs][inputs] are a matrix of
// inputs x outputs, and a batch [N][inputs] one of inputs x N:
//
//   y  [outputs x N]       = W^T x
//   dW [inputs x outputs]  = x dy^T
//   dx [inputs x N]        = W dy
//
// The bias is cuDNN's, as that of a convolution is: cuBLASLt's epilogues want it better aligned
// than a slice of the parameters is.
#include "nn/linear.h"

#include <optional>

#include "backend/cuda/cuda_layer.h"
#include "backend/cuda/descriptor.h"
#include "backend/cuda/matmul.h"

namespace easgd::cuda {
namespace {

class LinearLayer final : public CudaLayer {
 public:
  LinearLayer(Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring),
        forward_(bench, weights(true), x(bench)),
        values_(describe(bench.batch(), {outputs(), 1, 1})),
        bias_(describe(1, {outputs(), 1, 1})) {
    if (!bench.options().training) return;
    Matrix dy_transposed = dy(bench);
    dy_transposed.transposed = true;
    weight_gradient_.emplace(bench, x(bench), dy_transposed);
    const auto [to, add] = wiring.gradients[0];
    if (to) input_gradient_.emplace(bench, weights(false), dy(bench), add);
  }

  void forward(const Workbench& bench, const Pass& pass) override {
    forward_(bench, wiring_.slice(pass.x, 0), wiring_.input(pass), wiring_.output);
    check(cudnnAddTensor(bench.cudnn(), &kOne, bias_, wiring_.slice(pass.x, 1), &kOne, values_,
                         wiring_.output),
          "cudnnAddTensor");
  }

  void backward(const Workbench& bench, const Pass& pass) override {
    (*weight_gradient_)(bench, wiring_.input(pass), wiring_.output_gradient,
                        wiring_.slice(pass.g, 0));
    check(cudnnConvolutionBackwardBias(bench.cudnn(), &kOne, values_, wiring_.output_gradient,
                                       &kZero, bias_, wiring_.slice(pass.g, 1)),
          "cudnnConvolutionBackwardBias");
    if (!input_gradient_) return;
    (*input_gradient_)(bench, wiring_.slice(pass.x, 0), wiring_.output_gradient,
                       wiring_.gradients[0].to);
  }

 private:
  int inputs() const { return int(wiring_.stage->input.size()); }
  int outputs() const { return int(wiring_.stage->output.size()); }
  Matrix weights(bool transposed) const { return {inputs(), outputs(), transposed}; }
  Matrix x(const Workbench& bench) const { return {inputs(), bench.batch()}; }
  Matrix dy(const Workbench& bench) const { return {outputs(), bench.batch()}; }

  const Matmul forward_;
  std::optional<Matmul> weight_gradient_, input_gradient_;
  TensorDescriptor values_, bias_;  // of the output
};

const Registered<CudaLayerEntry> kRegistered(Linear().kind(), cuda_layer<LinearLayer>());

}  // namespace
}  // namespace easgd::cuda
