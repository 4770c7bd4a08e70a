// y = W x + b, and the ReLU after it. To cuBLAS, which counts columns first, the weights
// [outputs][inputs] are a matrix of inputs x outputs, and a batch [N][inputs] one of inputs x N:
//
//   y  [outputs x N]       = W^T x
//   dW [inputs x outputs]  = x dy^T
//   dx [inputs x N]        = W dy
//
// Bias and ReLU are a pass of our own, as those of a convolution may be: cuBLASLt's epilogues want
// a bias better aligned than a slice of the parameters is. Inputs count as [C][H][W]: if channels
// are last, several pixels are brought into that order.
#include "nn/linear.h"

#include <optional>

#include "backend/cuda/cuda_layer.h"
#include "backend/cuda/matmul.h"

namespace easgd::cuda {
namespace {

class LinearLayer final : public CudaLayer {
 public:
  LinearLayer(Workbench& bench, const Wiring& wiring)
      : CudaLayer(wiring),
        in_(bench.layout(wiring.stage->input)),
        inputs_(bench.options().batch * wiring.stage->input.size()),
        reduction_(bench.reduction({outputs(), 1, 1})),
        forward_(bench, weights(bench, true), x(bench), values_of(bench)),
        w_(bench.format().bf16 ? bench.make_values(weight_count()) : nullptr),
        ordered_(needs_order() ? bench.make_values(inputs_) : nullptr) {
    const int count = int(weight_count());
    if (w_) bench.parameters().add({wiring.stage->slices[0], w_, count, 1, count, true});
    if (!bench.options().training) return;
    Matrix dy_transposed = dy(bench);
    dy_transposed.transposed = true;
    weight_gradient_.emplace(bench, x(bench), dy_transposed, Result{.aligned = is_aligned()});
    const auto [to, add] = wiring.gradients[0];
    if (!to) return;
    Result dx = values_of(bench);
    dx.add = add && !ordered_;
    input_gradient_.emplace(bench, weights(bench, false), dy(bench), dx);
    if (ordered_) ordered_gradient_ = bench.make_values(inputs_);
  }

  void forward(const Workbench& bench, const CudaPass& pass) override {
    bench.with_type([&]<class T>(T) {
      if (ordered_) {
        bench.run(kernels::FromChannelsLast<T, T>{.to = values<T>(ordered_),
                                                  .from = values<T>(wiring_.input(pass)),
                                                  .channels = in_.channels,
                                                  .pixels = in_.pixels,
                                                  .padded = in_.channels,
                                                  .add = false},
                  inputs_);
      }
      forward_(bench, weights_in(pass), input(pass), wiring_.output);
      T* y = values<T>(wiring_.output);
      const std::size_t count = bench.options().batch * std::size_t(outputs());
      if (has_bias()) {
        bench.run(kernels::AddBias<T>{.y = y,
                                      .bias = wiring_.slice(pass.x, 1),
                                      .layout = reduction_.layout,
                                      .relu = wiring_.relu},
                  count);
      } else if (wiring_.relu) {
        bench.run(kernels::ReluForward<T>{y, y}, count);
      }
    });
  }

  void backward(const Workbench& bench, const CudaPass& pass) override {
    bench.with_type([&]<class T>(T) {
      T* dy = values<T>(wiring_.output_gradient);
      const T* y = wiring_.relu ? values<T>(wiring_.output) : nullptr;
      if (has_bias()) {
        bench.run(kernels::BiasGradient<T>{wiring_.slice(pass.g, 1), dy, y}, reduction_);
      } else if (y) {
        bench.run(kernels::ReluBackward<T>{dy, dy, y, false},
                  bench.options().batch * std::size_t(outputs()));
      }
      (*weight_gradient_)(bench, input(pass), dy, wiring_.slice(pass.g, 0));
      if (!input_gradient_) return;
      const auto [to, add] = wiring_.gradients[0];
      (*input_gradient_)(bench, weights_in(pass), dy, ordered_ ? ordered_gradient_ : to);
      if (!ordered_) return;
      bench.run(kernels::ToChannelsLast<T, T>{.to = values<T>(to),
                                              .from = values<T>(ordered_gradient_),
                                              .channels = in_.channels,
                                              .pixels = in_.pixels,
                                              .padded = in_.channels,
                                              .add = add},
                inputs_);
    });
  }

 private:
  int inputs() const { return int(wiring_.stage->input.size()); }
  int outputs() const { return int(wiring_.stage->output.size()); }
  bool has_bias() const { return wiring_.stage->slices.size() > 1; }
  std::size_t weight_count() const { return wiring_.stage->slices[0].count; }
  bool needs_order() const { return in_.channels_last && in_.channels > 1 && in_.pixels > 1; }
  const void* input(const CudaPass& pass) const {
    return ordered_ ? ordered_ : wiring_.input(pass);
  }

  /// The slice of the parameters, to 16 bytes.
  bool is_aligned() const { return wiring_.stage->slices[0].offset % 4 == 0; }
  /// In bf16 they are a copy, else the parameters themselves.
  Matrix weights(const Workbench& bench, bool transposed) const {
    return {inputs(), outputs(), transposed, bench.format().bf16 || is_aligned()};
  }
  Matrix x(const Workbench& bench) const { return {inputs(), bench.batch()}; }
  Matrix dy(const Workbench& bench) const { return {outputs(), bench.batch()}; }
  static Result values_of(const Workbench& bench) { return {.bf16 = bench.format().bf16}; }

  const void* weights_in(const CudaPass& pass) const {
    return w_ ? w_ : static_cast<const void*>(wiring_.slice(pass.x, 0));
  }

  const kernels::Layout in_;
  const std::size_t inputs_;                  // values of a batch
  const kernels::ReductionLayout reduction_;  // of the output
  const Matmul forward_;
  std::optional<Matmul> weight_gradient_, input_gradient_;
  void* const w_;        // bf16
  void* const ordered_;  // the input as [N][C][H][W], if it does not come so
  void* ordered_gradient_ = nullptr;
};

const Registered<CudaLayerEntry> kRegistered(Linear().kind(),
                                             cuda_layer<LinearLayer>(/*absorbs_relu=*/true));

}  // namespace
}  // namespace easgd::cuda
