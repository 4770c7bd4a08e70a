// Convolution through the Fourier transform: kernels/fft_conv2d.h. Its activations have the samples
// innermost (chwn), and its parameters stay as they lie in the flat vector.
#include "kernels/fft_conv2d.h"

#include "backend/cpu/conv2d.h"
#include "backend/cpu/elementwise_loops.h"
#include "base/trace.h"
#include "nn/conv2d.h"

namespace easgd::cpu {
namespace {

memory::desc samples_innermost(const Workbench& bench, Shape shape) {
  return memory::desc(bench.dims(shape), memory::data_type::f32, memory::format_tag::chwn);
}

/// The convolution of all pieces.
class FftBatch final : public SharedWork {
 public:
  FftBatch(const kernels::Conv2dShape& of_largest_piece, int pieces, kernels::Factors factors,
           const Slice& slice)
      : convolution_(of_largest_piece, pieces, kernels::complex_multiplier(factors)),
        slice_(slice) {}

  kernels::FftConv2d& get() { return convolution_; }
  int add_piece() { return pieces_++; }

  std::size_t preparations() const override { return convolution_.weight_tasks(); }
  void prepare(ConstView x, std::size_t task) override {
    convolution_.transform_weights(slice_.of(x).data(), task);
  }
  std::size_t deliveries() const override { return convolution_.weight_tasks(); }
  void deliver(View g, std::size_t task) override {
    convolution_.weight_gradient(slice_.of(g).data(), task);
  }
  std::size_t bytes() const override { return convolution_.bytes(); }

 private:
  kernels::FftConv2d convolution_;
  const Slice slice_;
  int pieces_ = 0;
};

/// The pieces meet between transforms and products: each transforms its own samples, then threads
/// share out the frequencies of the whole batch.
class FftConv2dLayer final : public MeetingLayer {
 public:
  explicit FftConv2dLayer(const Link& link)
      : MeetingLayer(*link.stage), stage_(*link.stage), number_(link.output), relu_(link.relu) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    const Activation& input = inputs[0];
    stream_ = bench.stream();
    auto& batch = bench.shared<FftBatch>(number_, [&] {
      kernels::Conv2dShape shape = kernel_shape(bench, stage_);
      shape.batch = int(bench.cut().samples);
      return std::make_unique<FftBatch>(shape, int(bench.cut().pieces), factors_of(bench),
                                        stage_.slices[0]);
    });
    convolution_ = &batch.get();
    piece_ = {batch.add_piece(), int(bench.options().batch)};
    input_ = Converted(bench, input.values, samples_innermost(bench, stage_.input));
    output_ = bench.make(samples_innermost(bench, stage_.output));
    return {output_, true};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override {
    output_gradient_ = Converted(bench, dy.values, output_.get_desc(), relu_ && !dy.disposable);
    if (wanted) input_gradient_ = bench.make(input_.get().get_desc());
    return {input_gradient_, true};
  }

  bool meets(const CpuPass&) const override { return true; }

  void survey_forward(CpuPass&) override {
    input_.refresh(stream_);
    convolution_->take_x(piece_, floats(input_.get()));
  }
  void meet_forward(std::span<MeetingLayer* const> pieces, CpuPass&, Crew& crew) override {
    crew.run(convolution_->products(), [&](std::size_t product) {
      const TraceScope scope(names().forward.c_str());
      convolution_->multiply_forward(int(pieces.size()), product, product + crew.threads());
    });
  }
  void forward(CpuPass& pass) override {
    convolution_->give_y(piece_, stage_.slices[1].of(pass.x).data(), floats(output_));
    if (relu_) apply_relu(output_);
  }

  void survey_backward(CpuPass& pass) override {
    output_gradient_.refresh(stream_);
    if (relu_) block_gradient(output_, output_gradient_.get());
    convolution_->take_dy(piece_, floats(output_gradient_.get()),
                          stage_.slices[1].of(pass.g).data());
  }
  void meet_backward(std::span<MeetingLayer* const>, CpuPass&, Crew& crew) override {
    crew.run(convolution_->products(), [&](std::size_t product) {
      const TraceScope scope(names().backward.c_str());
      convolution_->multiply_backward(bool(input_gradient_), product, product + crew.threads());
    });
  }
  void backward(CpuPass&) override {
    if (input_gradient_) convolution_->give_dx(piece_, floats(input_gradient_));
  }

 private:
  const Stage& stage_;
  const std::size_t number_;
  const bool relu_;
  dnnl::stream stream_;
  kernels::FftConv2d* convolution_ = nullptr;
  kernels::FftConv2d::Piece piece_{};
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
