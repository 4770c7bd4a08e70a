// The network's first convolution with the pooling and ReLU that follow it: pooled_conv2d.h.
#include <optional>

#include "backend/cpu/conv2d.h"
#include "backend/cpu/pooled_conv2d.h"
#include "nn/conv2d.h"
#include "nn/pool2d.h"

namespace easgd::cpu {
namespace {

class PooledConv2dLayer final : public CpuLayer {
 public:
  explicit PooledConv2dLayer(const Link& link) : link_(link) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    const Activation& input = inputs[0];
    const auto& options = dynamic_cast<const Conv2d&>(*link_.stage->layer);
    const Shape in = link_.stage->input;
    const PooledConv2dShape shape = {
        .batch = bench.options().batch,
        .in_channels = std::size_t(in.channels),
        .height = std::size_t(in.height),
        .width = std::size_t(in.width),
        .out_channels = std::size_t(options.channels),
        .kernel = std::size_t(options.kernel.height),
        .pad = std::size_t(options.pad.height),
        .relu = link_.relu,
    };
    convolution_.emplace(
        shape, PooledConv2d::can_narrow(shape) ? factors_of(bench) : kernels::Factors::f32);
    bench.count_bytes(convolution_->bytes());
    images_ = input.values;
    stream_ = bench.stream();
    output_ = bench.make(memory::desc(bench.dims(link_.pool->output), memory::data_type::f32,
                                      memory::format_tag::chwn));
    return {output_, true};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool) override {
    output_gradient_ = Converted(bench, dy.values, output_.get_desc());
    return {};
  }

  void forward(CpuPass& pass) override {
    const auto* images = static_cast<const float*>(images_.get_data_handle());
    convolution_->forward({images, images_.get_desc().get_size() / sizeof(float)},
                          link_.stage->slices[0].of(pass.x), link_.stage->slices[1].of(pass.x),
                          static_cast<float*>(output_.get_data_handle()));
  }

  void backward(CpuPass& pass) override {
    output_gradient_.refresh(stream_);
    convolution_->backward(static_cast<const float*>(output_gradient_.get().get_data_handle()),
                           link_.stage->slices[0].of(pass.g), link_.stage->slices[1].of(pass.g));
  }

 private:
  const Link link_;
  dnnl::stream stream_;
  std::optional<PooledConv2d> convolution_;
  memory images_, output_;
  Converted output_gradient_;
};

}  // namespace

std::unique_ptr<CpuLayer> make_pooled_conv2d(const Link& link) {
  return std::make_unique<PooledConv2dLayer>(link);
}

bool can_pool_in_conv2d(const Workbench& bench, const Stage& conv, const Stage& pool) {
  const auto* convolution = dynamic_cast<const Conv2d*>(conv.layer.get());
  const auto* pooling = dynamic_cast<const MaxPool2d*>(pool.layer.get());
  return convolution && pooling && &conv == &bench.network().stages().front() &&
         convolution->is_plain() && convolution->stride.height == 1 && convolution->use_bias &&
         std::size_t(convolution->kernel.height) <= PooledConv2d::kLargestKernel &&
         pooling->kernel == Sides{2, 2} && pooling->stride == Sides{2, 2} &&
         pooling->pad == Sides{};
}

}  // namespace easgd::cpu
