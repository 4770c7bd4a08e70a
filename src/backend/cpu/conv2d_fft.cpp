// Convolution through the Fourier transform: kernels/fft_conv2d.h. Its activations have the samples
// innermost (chwn), and its parameters stay as they lie in the flat vector.
#include "kernels/fft_conv2d.h"

#include <optional>

#include "backend/cpu/conv2d.h"
#include "backend/cpu/elementwise_loops.h"
#include "nn/conv2d.h"

namespace easgd::cpu {
namespace {

memory::desc samples_innermost(const Workbench& bench, Shape shape) {
  return memory::desc(bench.dims(shape), memory::data_type::f32, memory::format_tag::chwn);
}

class SharedFftWeights final : public SharedWork {
 public:
  SharedFftWeights(const kernels::Conv2dShape& shape, kernels::Factors factors, const Slice& slice)
      : weights_(shape, kernels::complex_multiplier(factors)), slice_(slice) {}

  kernels::FftWeights& get() { return weights_; }

  std::size_t preparations() const override { return weights_.tasks(); }
  void prepare(ConstView x, std::size_t task) override {
    weights_.transform(slice_.of(x).data(), task);
  }
  std::size_t deliveries() const override { return weights_.tasks(); }
  void deliver(View g, std::size_t task) override { weights_.gradient(slice_.of(g).data(), task); }
  std::size_t bytes() const override { return weights_.bytes(); }

 private:
  kernels::FftWeights weights_;
  const Slice slice_;
};

class FftConv2dLayer final : public CpuLayer {
 public:
  explicit FftConv2dLayer(const Link& link)
      : stage_(*link.stage), number_(link.output), relu_(link.relu) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    stream_ = bench.stream();
    const kernels::Conv2dShape shape = kernel_shape(bench, stage_);
    auto& weights = bench.shared<SharedFftWeights>(number_, [&] {
      return std::make_unique<SharedFftWeights>(shape, factors_of(bench), stage_.slices[0]);
    });
    convolution_.emplace(shape, weights.get(), bench.options().training);
    bench.count_bytes(convolution_->bytes());
    input_ = Converted(bench, inputs[0].values, samples_innermost(bench, stage_.input));
    output_ = bench.make(samples_innermost(bench, stage_.output));
    return {output_, true};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override {
    output_gradient_ = Converted(bench, dy.values, output_.get_desc(), relu_ && !dy.disposable);
    if (wanted) input_gradient_ = bench.make(input_.get().get_desc());
    return {input_gradient_, true};
  }

  void forward(CpuPass& pass) override {
    input_.refresh(stream_);
    convolution_->forward(floats(input_.get()), stage_.slices[1].of(pass.x).data(),
                          floats(output_));
    if (relu_) apply_relu(output_);
  }

  void backward(CpuPass& pass) override {
    output_gradient_.refresh(stream_);
    if (relu_) block_gradient(output_, output_gradient_.get());
    convolution_->backward(floats(output_gradient_.get()),
                           input_gradient_ ? floats(input_gradient_) : nullptr,
                           stage_.slices[1].of(pass.g).data());
  }

 private:
  const Stage& stage_;
  const std::size_t number_;
  const bool relu_;
  dnnl::stream stream_;
  std::optional<kernels::FftConv2d> convolution_;
  Converted input_, output_gradient_;
  memory output_, input_gradient_;
};

}  // namespace

std::unique_ptr<CpuLayer> make_fft_conv2d(const Link& link) {
  return std::make_unique<FftConv2dLayer>(link);
}

bool fft_conv2d_pays(const Workbench& bench, const Stage& stage) {
  const auto& options = dynamic_cast<const Conv2d&>(*stage.layer);
  kernels::Conv2dShape shape = kernel_shape(bench, stage);
  shape.batch = int(bench.cut().samples * bench.cut().pieces);
  return options.is_plain() && options.stride.height == 1 && options.use_bias &&
         kernels::FftConv2d::worth_it(shape);
}

}  // namespace easgd::cpu
