// Linear layer by oneDNN's inner product. Activations are [N][C] (or [N][C][H][W] if an image is
// flattened) and float weights stay as they lie in the flat vector.
#include "nn/linear.h"

#include "backend/cpu/affine_layer.h"

namespace easgd::cpu {
namespace {

class InnerProduct final : public AffineLayer {
 public:
  explicit InnerProduct(const Link& link) : AffineLayer(link) {}

 private:
  using Tag = memory::format_tag;

  dnnl::primitive_desc forward_descriptor(const Workbench& bench, const memory::desc&,
                                          const Attributes& attributes) override {
    x_ = memory::desc(bench.dims(stage().input), bench.type(), Tag::nchw);
    y_ = memory::desc({bench.dims(stage().output)[0], stage().output.channels}, bench.type(),
                      Tag::nc);
    const dnnl::inner_product_forward::desc operation(dnnl::prop_kind::forward_training, x_,
                                                      weight(bench.type()), bias(), y_);
    return hint_ = {operation, attributes, bench.engine()};
  }

  dnnl::primitive_desc data_descriptor(const Workbench& bench,
                                       const Attributes& attributes) override {
    const dnnl::inner_product_backward_data::desc operation(x_, weight(bench.type()), y_);
    return dnnl::inner_product_backward_data::primitive_desc(operation, attributes, bench.engine(),
                                                             hint_);
  }

  dnnl::primitive_desc weights_descriptor(const Workbench& bench,
                                          const Attributes& attributes) override {
    const dnnl::inner_product_backward_weights::desc operation(x_, weight(memory::data_type::f32),
                                                               bias(), y_);
    return dnnl::inner_product_backward_weights::primitive_desc(operation, attributes,
                                                                bench.engine(), hint_);
  }

  memory::dims weight_dims() const override {
    const Shape in = stage().input;
    return {stage().output.channels, in.channels, in.height, in.width};
  }

  /// As in the flat vector if all is float; beside bf16 activations oneDNN may choose.
  memory::desc weight(memory::data_type type) const {
    const bool flat = x_.data_type() == memory::data_type::f32;
    return memory::desc(weight_dims(), type, flat ? Tag::oihw : Tag::any);
  }
  memory::desc bias() const {
    if (stage().slices.size() < 2) return {};
    return memory::desc({stage().output.channels}, memory::data_type::f32, Tag::a);
  }

  memory::desc x_, y_;
  dnnl::inner_product_forward::primitive_desc hint_;
};

const Registered<CpuLayerEntry> kRegistered(Linear().kind(),
                                            {[](const Workbench&, const Link& link) {
                                               return std::make_unique<InnerProduct>(link);
                                             },
                                             /*absorbs_relu=*/true});

}  // namespace
}  // namespace easgd::cpu
