// Direct convolution by oneDNN, which also chooses the layouts.
#include "nn/conv2d.h"

#include "backend/cpu/affine_layer.h"
#include "backend/cpu/conv2d.h"

namespace easgd::cpu {
namespace {

class DirectConv2d final : public AffineLayer {
 public:
  explicit DirectConv2d(const Link& link)
      : AffineLayer(link), options_(dynamic_cast<const Conv2d&>(*link.stage->layer)) {}

 private:
  static constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;

  dnnl::primitive_desc forward_descriptor(const Workbench& bench, const memory::desc&,
                                          const Attributes& attributes) override {
    x_ = any_layout(bench.dims(stage().input), bench.type());
    y_ = any_layout(bench.dims(stage().output), bench.type());
    const dnnl::convolution_forward::desc operation(
        dnnl::prop_kind::forward_training, kAlgorithm, x_, any_layout(weight_dims(), bench.type()),
        bias(), y_, sides(options_.stride), sides(options_.pad), sides(options_.pad));
    return hint_ = {operation, attributes, bench.engine()};
  }

  dnnl::primitive_desc data_descriptor(const Workbench& bench,
                                       const Attributes& attributes) override {
    const dnnl::convolution_backward_data::desc operation(
        kAlgorithm, x_, any_layout(weight_dims(), bench.type()), y_, sides(options_.stride),
        sides(options_.pad), sides(options_.pad));
    return dnnl::convolution_backward_data::primitive_desc(operation, attributes, bench.engine(),
                                                           hint_);
  }

  dnnl::primitive_desc weights_descriptor(const Workbench& bench,
                                          const Attributes& attributes) override {
    const dnnl::convolution_backward_weights::desc operation(
        kAlgorithm, x_, any_layout(weight_dims(), memory::data_type::f32), bias(), y_,
        sides(options_.stride), sides(options_.pad), sides(options_.pad));
    return dnnl::convolution_backward_weights::primitive_desc(operation, attributes, bench.engine(),
                                                              hint_);
  }

  memory::dims weight_dims() const override {
    const std::int64_t groups = options_.groups;
    memory::dims dims = {options_.channels / groups, stage().input.channels / groups,
                         options_.kernel.height, options_.kernel.width};
    if (groups > 1) dims.insert(dims.begin(), groups);
    return dims;
  }

  static memory::desc any_layout(const memory::dims& dims, memory::data_type type) {
    return memory::desc(dims, type, memory::format_tag::any);
  }
  memory::desc bias() const {
    if (!options_.use_bias) return {};
    return memory::desc({options_.channels}, memory::data_type::f32, memory::format_tag::a);
  }
  static memory::dims sides(const Sides& sides) { return {sides.height, sides.width}; }

  const Conv2d& options_;
  memory::desc x_, y_;
  dnnl::convolution_forward::primitive_desc hint_;
};

std::unique_ptr<CpuLayer> make_conv2d(const Workbench& bench, const Link& link) {
  if (link.pool) return make_pooled_conv2d(link);
  if (winograd_conv2d_pays(bench, *link.stage)) return make_winograd_conv2d(link);
  if (fft_conv2d_pays(bench, *link.stage)) return make_fft_conv2d(link);
  return std::make_unique<DirectConv2d>(link);
}

const Registered<CpuLayerEntry> kRegistered(Conv2d().kind(), {make_conv2d, /*absorbs_relu=*/true});

}  // namespace

kernels::Factors factors_of(const Workbench& bench) {
  const bool narrow = bench.type() != memory::data_type::f32 && kernels::has_tiles();
  return narrow ? kernels::Factors::bf16 : kernels::Factors::f32;
}

kernels::Conv2dShape kernel_shape(const Workbench& bench, const Stage& stage) {
  const auto& options = dynamic_cast<const Conv2d&>(*stage.layer);
  const Shape in = stage.input;
  return {int(bench.options().batch),
          in.channels,
          in.height,
          in.width,
          stage.output.channels,
          int(options.kernel.height),
          int(options.kernel.width),
          int(options.pad.height),
          int(options.stride.height)};
}

}  // namespace easgd::cpu
