#include "backend/cpu/affine_layer.h"

#include "backend/cpu/elementwise_loops.h"

namespace easgd::cpu {
namespace {

/// A parameter as it lies in the flat vector.
memory::desc flat_desc(const memory::dims& dims) {
  using Tag = memory::format_tag;
  const Tag tag = dims.size() == 1 ? Tag::a : dims.size() == 4 ? Tag::abcd : Tag::abcde;
  return memory::desc(dims, memory::data_type::f32, tag);
}

/// The same values under the dimensions a primitive knows them by: [N][C] for [N][C][1][1].
memory seen_as(const memory& m, const memory::dims& dims) {
  return memory(m.get_desc().reshape(dims), m.get_engine(), m.get_data_handle());
}

}  // namespace

AffineLayer::AffineLayer(const Link& link) : stage_(*link.stage), relu_(link.relu) {}

Activation AffineLayer::compile_forward(Workbench& bench, std::span<const Activation> inputs) {
  stream_ = bench.stream();
  Attributes attributes = bench.attributes();
  if (relu_) {
    dnnl::post_ops post;
    post.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
    attributes.set_post_ops(post);
  }
  const memory& given = inputs[0].values;
  const auto primitive = forward_descriptor(bench, given.get_desc(), attributes);
  weight_ = bench.unbound(flat_desc(weight_dims()));
  if (has_bias()) bias_ = bench.unbound(flat_desc({stage_.output.channels}));
  input_ = Converted(bench, given, primitive.src_desc(0));
  forward_weight_ = Converted(bench, weight_, primitive.weights_desc(0));
  const memory result = bench.make(primitive.dst_desc(0));
  output_ = seen_as(result, bench.dims(stage_.output));
  forward_ = Call(dnnl::primitive(primitive), {{DNNL_ARG_SRC, input_.get()},
                                               {DNNL_ARG_WEIGHTS, forward_weight_.get()},
                                               {DNNL_ARG_BIAS, bias_},
                                               {DNNL_ARG_DST, result},
                                               bench.scratchpad(primitive)});
  if (!bench.options().training && input_.copies()) bench.give_back(input_.get());
  return {output_, true};
}

Activation AffineLayer::compile_backward(Workbench& bench, const Activation& output_gradient,
                                         bool input_gradient_wanted) {
  output_gradient_ = Converted(bench, output_gradient.values, output_.get_desc(),
                               relu_ && !output_gradient.disposable);
  compile_weights_gradient(bench);
  if (input_gradient_wanted) compile_data_gradient(bench);
  return {input_gradient_, true};
}

void AffineLayer::compile_weights_gradient(Workbench& bench) {
  const auto primitive = weights_descriptor(bench, bench.attributes());
  const memory::desc dy = primitive.diff_dst_desc(0);
  gradient_for_weights_ = Converted(bench, seen_as(output_gradient_.get(), dy.dims()), dy);
  input_for_weights_ = Converted(bench, input_.get(), primitive.src_desc(0));
  weight_gradient_ = bench.unbound(weight_.get_desc());
  if (has_bias()) bias_gradient_ = bench.unbound(bias_.get_desc());
  memory result = weight_gradient_;
  if (primitive.diff_weights_desc(0) != weight_gradient_.get_desc()) {
    result = bench.make_own(primitive.diff_weights_desc(0));
    deliver_weight_gradient_ = make_copy(bench, result, weight_gradient_);
  }
  backward_weights_ =
      Call(dnnl::primitive(primitive), {{DNNL_ARG_SRC, input_for_weights_.get()},
                                        {DNNL_ARG_DIFF_DST, gradient_for_weights_.get()},
                                        {DNNL_ARG_DIFF_WEIGHTS, result},
                                        {DNNL_ARG_DIFF_BIAS, bias_gradient_},
                                        bench.scratchpad(primitive)});
}

void AffineLayer::compile_data_gradient(Workbench& bench) {
  const auto primitive = data_descriptor(bench, bench.attributes());
  const memory::desc dy = primitive.diff_dst_desc(0);
  gradient_for_data_ = Converted(bench, seen_as(output_gradient_.get(), dy.dims()), dy);
  backward_weight_ = Converted(bench, weight_, primitive.weights_desc(0));
  input_gradient_ = bench.make(primitive.diff_src_desc(0));
  backward_data_ = Call(dnnl::primitive(primitive), {{DNNL_ARG_DIFF_DST, gradient_for_data_.get()},
                                                     {DNNL_ARG_WEIGHTS, backward_weight_.get()},
                                                     {DNNL_ARG_DIFF_SRC, input_gradient_},
                                                     bench.scratchpad(primitive)});
}

void AffineLayer::forward(CpuPass& pass) {
  point_at(weight_, stage_.slices[0].of(pass.x));
  if (has_bias()) point_at(bias_, stage_.slices[1].of(pass.x));
  input_.refresh(stream_);
  forward_weight_.refresh(stream_);
  forward_(stream_);
}

void AffineLayer::backward(CpuPass& pass) {
  point_at(weight_gradient_, stage_.slices[0].of(pass.g));
  if (has_bias()) point_at(bias_gradient_, stage_.slices[1].of(pass.g));
  output_gradient_.refresh(stream_);
  if (relu_) block_gradient(output_, output_gradient_.get());

  gradient_for_weights_.refresh(stream_);
  input_for_weights_.refresh(stream_);
  backward_weights_(stream_);
  if (deliver_weight_gradient_) deliver_weight_gradient_(stream_);

  if (!backward_data_) return;
  gradient_for_data_.refresh(stream_);
  backward_weight_.refresh(stream_);
  backward_data_(stream_);
}

}  // namespace easgd::cpu
