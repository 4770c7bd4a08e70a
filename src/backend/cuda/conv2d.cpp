// Convolution by cuDNN. If tensor cores compute it, its bias and the ReLU after it are part of the
// same kernel; else these two are one pass of our own. So is the backward side of both.
//
// If channels are last, the weights are copies [K][kh][kw][C] of the format's type, and their
// gradient comes back from there; else they are copies only if cuDNN would not take a slice as it
// lies. Tensor cores want channels in multiples of 16 bytes: others are filled up with zeros on the
// way in and cut off on the way out, unless they are cut into groups.
#include "nn/conv2d.h"

#include "backend/cuda/cuda_layer.h"
#include "backend/cuda/plan_search.h"

namespace easgd::cuda {
namespace {

class ConvLayer final : public CudaLayer {
 public:
  ConvLayer(Workbench& bench, const Wiring& wiring);

  void forward(const Workbench& bench, const CudaPass& pass) override;
  void backward(const Workbench& bench, const CudaPass& pass) override;

 private:
  std::optional<ConvolutionPlan> plan_if_any(Workbench& bench, Role role) const;
  ConvolutionPlan plan(Workbench& bench, Role role) const;
  void make_channels_last(Workbench& bench);
  void make_backward(Workbench& bench);

  void pack_weights(Workbench& bench);
  /// cuDNN takes what it only reads as void* too.
  void* weights(const CudaPass& pass) const {
    return w_ ? w_ : const_cast<float*>(wiring_.slice(pass.x, 0));
  }
  void* input(const CudaPass& pass) const { return const_cast<void*>(wiring_.input(pass)); }
  void take_bias_gradient(const Workbench& bench, const CudaPass& pass) const;
  void give_input_gradient(const Workbench& bench, const CudaPass& pass, void* dy) const;
  /// Values and, if they must be filled up with channels, the memory for that.
  struct Padding {
    void* from;
    Shape shape;
    void* to;  ///< null: they are wide enough
    int padded;
  };
  void* widen(const Workbench& bench, const Padding& padding) const;

  const Conv2d& options_;
  const Shape in_, out_;
  const Convolution convolution_;
  std::optional<ConvolutionPlan> forward_, fused_, data_, filter_;
  const kernels::ReductionLayout reduction_;  // of the output

  void *w_ = nullptr, *dw_ = nullptr;  // copies; null if the slices themselves will do
  void* bias_ = nullptr;               // of the fused plan
  void *padded_input_ = nullptr, *padded_output_ = nullptr;  // if there are more channels
  void* input_gradient_ = nullptr;  // before it is cut, or added to what is there
};

ConvLayer::ConvLayer(Workbench& bench, const Wiring& wiring)
    : CudaLayer(wiring),
      options_(dynamic_cast<const Conv2d&>(*wiring.stage->layer)),
      in_(wiring.stage->input),
      out_(wiring.stage->output),
      convolution_(convolution_of(*wiring.stage, bench.batch(), bench.format())),
      reduction_(bench.reduction(out_)) {
  pack_weights(bench);
  if (bench.format().channels_last) make_channels_last(bench);
  if (!fused_) forward_ = plan(bench, Role::forward);
  if (bench.options().training) make_backward(bench);
}

std::optional<ConvolutionPlan> ConvLayer::plan_if_any(Workbench& bench, Role role) const {
  auto result =
      bench.options().plan_search
          ? fastest_plan(bench.cudnn(), bench.stream(), convolution_, role, users_plan_choices())
          : first_plan(bench.cudnn(), bench.stream(), convolution_, role);
  if (result) bench.reserve(result->workspace());
  return result;
}

ConvolutionPlan ConvLayer::plan(Workbench& bench, Role role) const {
  auto result = plan_if_any(bench, role);
  if (!result) check(CUDNN_STATUS_NOT_SUPPORTED, "a plan of a convolution");
  return std::move(*result);
}

void ConvLayer::pack_weights(Workbench& bench) {
  const Slice& slice = wiring_.stage->slices[0];
  const Format& format = bench.format();
  constexpr std::size_t kAligned = 4;  // floats: 16 bytes
  if (!format.channels_last && slice.offset % kAligned == 0) return;
  const int filter = int(options_.kernel.area()), channels = convolution_.filter_channels();
  const int given = in_.channels / convolution_.groups;
  const std::size_t count =
      std::size_t(convolution_.output.channels) * std::size_t(filter) * std::size_t(channels);
  // [C][kh][kw] as one channel after the other, or as pixels of channels.
  const int pixels = format.channels_last ? filter : 1;
  const int from = format.channels_last ? given : given * filter;
  const int to = format.channels_last ? channels : from;
  w_ = bench.make_values(count);
  bench.parameters().add({slice, w_, from, pixels, to, format.bf16});
  if (!bench.options().training) return;
  dw_ = bench.make_values(count);
  bench.gradients().add({slice, dw_, from, pixels, to, format.bf16});
}

void ConvLayer::make_channels_last(Workbench& bench) {
  const Shape &in = convolution_.input, &out = convolution_.output;
  if (in.channels != in_.channels) {
    padded_input_ = bench.make_values(bench.options().batch * in.size());
  }
  if (out.channels != out_.channels) {
    padded_output_ = bench.make_values(bench.options().batch * out.size());
  }
  if (!wiring_.relu || !options_.use_bias) return;
  fused_ = plan_if_any(bench, Role::forward_bias_relu);
  if (!fused_) return;
  bias_ = bench.make_values(std::size_t(out.channels));
  bench.parameters().add({.slice = wiring_.stage->slices[1],
                          .data = bias_,
                          .channels = out_.channels,
                          .pixels = 1,
                          .padded = out.channels,
                          .bf16 = bench.format().bf16});
}

void ConvLayer::make_backward(Workbench& bench) {
  filter_ = plan(bench, Role::filter);
  const auto [to, add] = wiring_.gradients[0];
  if (!to) return;
  data_ = plan(bench, Role::data);
  if (add || padded_input_) {
    input_gradient_ = bench.make_values(bench.options().batch * convolution_.input.size());
  }
}

/// The values themselves, or a copy in rows of more channels.
void* ConvLayer::widen(const Workbench& bench, const Padding& padding) const {
  if (!padding.to) return padding.from;
  const Shape shape = padding.shape;
  const std::size_t rows = bench.options().batch * std::size_t(shape.height * shape.width);
  bench.with_type([&]<class T>(T) {
    bench.run(kernels::ToChannelsLast<T, T>{.to = values<T>(padding.to),
                                            .from = values<T>(padding.from),
                                            .channels = shape.channels,
                                            .pixels = 1,
                                            .padded = padding.padded,
                                            .add = false},
              rows * std::size_t(padding.padded));
  });
  return padding.to;
}

void ConvLayer::forward(const Workbench& bench, const CudaPass& pass) {
  void* x = widen(bench, {input(pass), in_, padded_input_, convolution_.input.channels});
  void* y = padded_output_ ? padded_output_ : wiring_.output;
  const ConvolutionPlan& plan = fused_ ? *fused_ : *forward_;
  plan.run(bench.cudnn(), {.x = x, .w = weights(pass), .y = y, .b = bias_}, bench.workspace());
  const std::size_t count = bench.options().batch * out_.size();
  bench.with_type([&]<class T>(T) {
    T* output = values<T>(wiring_.output);
    if (padded_output_) {
      bench.run(kernels::FromChannelsLast<T, T>{.to = output,
                                                .from = values<T>(y),
                                                .channels = out_.channels,
                                                .pixels = 1,
                                                .padded = convolution_.output.channels,
                                                .add = false},
                count);
    }
    if (fused_) return;
    if (options_.use_bias) {
      bench.run(kernels::AddBias<T>{.y = output,
                                    .bias = wiring_.slice(pass.x, 1),
                                    .layout = reduction_.layout,
                                    .relu = wiring_.relu},
                count);
    } else if (wiring_.relu) {
      bench.run(kernels::ReluForward<T>{output, output}, count);
    }
  });
}

void ConvLayer::backward(const Workbench& bench, const CudaPass& pass) {
  take_bias_gradient(bench, pass);
  void* x = padded_input_ ? padded_input_ : input(pass);
  void* dy =
      widen(bench, {wiring_.output_gradient, out_, padded_output_, convolution_.output.channels});
  void* dw = dw_ ? dw_ : wiring_.slice(pass.g, 0);
  filter_->run(bench.cudnn(), {.x = x, .w = dw, .y = dy}, bench.workspace());
  if (data_) give_input_gradient(bench, pass, dy);
}

/// From here on the output's gradient is that of before the ReLU.
void ConvLayer::take_bias_gradient(const Workbench& bench, const CudaPass& pass) const {
  bench.with_type([&]<class T>(T) {
    T* dy = values<T>(wiring_.output_gradient);
    const T* y = wiring_.relu ? values<T>(wiring_.output) : nullptr;
    if (options_.use_bias) {
      bench.run(kernels::BiasGradient<T>{wiring_.slice(pass.g, 1), dy, y}, reduction_);
    } else if (y) {
      bench.run(kernels::ReluBackward<T>{dy, dy, y, false}, bench.options().batch * out_.size());
    }
  });
}

void ConvLayer::give_input_gradient(const Workbench& bench, const CudaPass& pass, void* dy) const {
  const auto [to, add] = wiring_.gradients[0];
  void* dx = input_gradient_ ? input_gradient_ : to;
  data_->run(bench.cudnn(), {.x = dx, .w = weights(pass), .y = dy}, bench.workspace());
  if (!input_gradient_) return;
  const std::size_t count = bench.options().batch * in_.size();
  bench.with_type([&, to = to, add = add]<class T>(T) {
    if (padded_input_) {
      bench.run(kernels::FromChannelsLast<T, T>{.to = values<T>(to),
                                                .from = values<T>(dx),
                                                .channels = in_.channels,
                                                .pixels = 1,
                                                .padded = convolution_.input.channels,
                                                .add = add},
                count);
    } else {
      bench.run(kernels::AddTo<T>{values<T>(to), values<T>(dx), add}, count);
    }
  });
}

const Registered<CudaLayerEntry> kRegistered(Conv2d().kind(),
                                             cuda_layer<ConvLayer>(/*absorbs_relu=*/true));

}  // namespace
}  // namespace easgd::cuda
