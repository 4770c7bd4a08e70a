// Batch normalisation by oneDNN: nn/batch_norm.h has the formula. The running statistics are slices
// of the state, moved here.
#include "nn/batch_norm.h"

#include "backend/cpu/cpu_layer.h"
#include "backend/cpu/layout.h"

namespace easgd::cpu {
namespace {

using dnnl::normalization_flags;

/// oneDNN does not know samples innermost.
memory::desc wanted_layout(const memory::desc& given) {
  const auto planes = planes_of(given);
  if (planes && planes->layout != memory::format_tag::chwn) return given;
  return memory::desc(given.dims(), given.data_type(), memory::format_tag::nchw);
}

class BatchNormLayer final : public CpuLayer {
 public:
  BatchNormLayer(const Workbench& bench, const Link& link)
      : stage_(*link.stage),
        options_(dynamic_cast<const BatchNorm&>(*stage_.layer)),
        relu_(link.relu),
        first_statistic_(stage_.statistics[0].offset - bench.network().parameter_count()),
        values_(bench.options().batch * std::size_t(stage_.input.height) *
                std::size_t(stage_.input.width)) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override;
  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override;
  void forward(const CpuPass& pass) override;
  void backward(const CpuPass& pass) override;

 private:
  normalization_flags flags() const {
    auto flags = normalization_flags::use_scale_shift;
    return relu_ ? flags | normalization_flags::fuse_norm_relu : flags;
  }
  /// weight and bias, which lie side by side in the flat vectors.
  ConstView scale_shift_of(ConstView x) const {
    return x.subspan(stage_.slices[0].offset, 2 * stage_.slices[0].count);
  }
  std::size_t channels() const { return stage_.slices[0].count; }
  void move(View statistics, float weight) const;

  const Stage& stage_;
  const BatchNorm& options_;
  const bool relu_;
  const std::size_t first_statistic_;  // of running_mean; running_var follows
  const std::size_t values_;           // of a channel in a batch
  dnnl::stream stream_;
  dnnl::batch_normalization_forward::primitive_desc hint_;
  Converted input_, output_gradient_;
  memory output_, input_gradient_, mask_;
  memory mean_, variance_;              // of the batch
  memory fixed_mean_, fixed_variance_;  // bound to running statistics
  memory scale_shift_, scale_shift_gradient_;
  Call forward_batch_, forward_fixed_, backward_;
};

Activation BatchNormLayer::compile_forward(Workbench& bench, std::span<const Activation> inputs) {
  using Forward = dnnl::batch_normalization_forward;
  using dnnl::prop_kind;
  stream_ = bench.stream();
  input_ = Converted(bench, inputs[0].values, wanted_layout(inputs[0].values.get_desc()));
  const memory::desc values = input_.get().get_desc();
  const memory::desc pairs({2, memory::dim(channels())}, memory::data_type::f32,
                           memory::format_tag::nc);
  const memory::desc single({memory::dim(channels())}, memory::data_type::f32,
                            memory::format_tag::x);
  const auto epsilon = float(options_.epsilon);
  output_ = bench.make(values);
  mean_ = bench.make(single);
  variance_ = bench.make(single);
  fixed_mean_ = bench.unbound(single);
  fixed_variance_ = bench.unbound(single);
  scale_shift_ = bench.unbound(pairs);
  scale_shift_gradient_ = bench.unbound(pairs);

  hint_ = {Forward::desc(prop_kind::forward_training, values, epsilon, flags()), bench.attributes(),
           bench.engine()};
  if (relu_) mask_ = bench.make(hint_.workspace_desc());
  forward_batch_ = Call(Forward(hint_), {{DNNL_ARG_SRC, input_.get()},
                                         {DNNL_ARG_SCALE_SHIFT, scale_shift_},
                                         {DNNL_ARG_MEAN, mean_},
                                         {DNNL_ARG_VARIANCE, variance_},
                                         {DNNL_ARG_WORKSPACE, mask_},
                                         {DNNL_ARG_DST, output_},
                                         bench.scratchpad(hint_)});
  const Forward::primitive_desc fixed(
      Forward::desc(prop_kind::forward_inference, values, epsilon,
                    flags() | normalization_flags::use_global_stats),
      bench.attributes(), bench.engine());
  forward_fixed_ = Call(Forward(fixed), {{DNNL_ARG_SRC, input_.get()},
                                         {DNNL_ARG_SCALE_SHIFT, scale_shift_},
                                         {DNNL_ARG_MEAN, fixed_mean_},
                                         {DNNL_ARG_VARIANCE, fixed_variance_},
                                         {DNNL_ARG_DST, output_},
                                         bench.scratchpad(fixed)});
  return {output_, true};
}

Activation BatchNormLayer::compile_backward(Workbench& bench, const Activation& dy, bool) {
  using Backward = dnnl::batch_normalization_backward;
  const memory::desc values = output_.get_desc();
  output_gradient_ = Converted(bench, dy.values, values);
  input_gradient_ = bench.make(values);
  const Backward::primitive_desc descriptor(
      Backward::desc(dnnl::prop_kind::backward, values, values, float(options_.epsilon), flags()),
      bench.attributes(), bench.engine(), hint_);
  backward_ = Call(Backward(descriptor), {{DNNL_ARG_SRC, input_.get()},
                                          {DNNL_ARG_MEAN, mean_},
                                          {DNNL_ARG_VARIANCE, variance_},
                                          {DNNL_ARG_SCALE_SHIFT, scale_shift_},
                                          {DNNL_ARG_WORKSPACE, mask_},
                                          {DNNL_ARG_DIFF_DST, output_gradient_.get()},
                                          {DNNL_ARG_DIFF_SRC, input_gradient_},
                                          {DNNL_ARG_DIFF_SCALE_SHIFT, scale_shift_gradient_},
                                          bench.scratchpad(descriptor)});
  return {input_gradient_, true};
}

void BatchNormLayer::forward(const CpuPass& pass) {
  input_.refresh(stream_);
  point_at(scale_shift_, scale_shift_of(pass.x));
  if (pass.fixed.empty()) {
    forward_batch_(stream_);
    if (!pass.moved.empty()) move(pass.moved, pass.weight.value_or(float(options_.momentum)));
    return;
  }
  point_at(fixed_mean_, pass.fixed.subspan(first_statistic_, channels()));
  point_at(fixed_variance_, pass.fixed.subspan(first_statistic_ + channels(), channels()));
  forward_fixed_(stream_);
}

void BatchNormLayer::move(View statistics, float weight) const {
  const auto* mean = static_cast<const float*>(mean_.get_data_handle());
  const auto* variance = static_cast<const float*>(variance_.get_data_handle());
  const View running_mean = statistics.subspan(first_statistic_, channels());
  const View running_variance = statistics.subspan(first_statistic_ + channels(), channels());
  const float unbiased = values_ > 1 ? float(values_) / float(values_ - 1) : 1.0f;
  for (std::size_t c = 0; c < channels(); ++c) {
    running_mean[c] = (1 - weight) * running_mean[c] + weight * mean[c];
    running_variance[c] = (1 - weight) * running_variance[c] + weight * unbiased * variance[c];
  }
}

void BatchNormLayer::backward(const CpuPass& pass) {
  output_gradient_.refresh(stream_);
  point_at(scale_shift_, scale_shift_of(pass.x));
  point_at(scale_shift_gradient_, scale_shift_of(pass.g));
  backward_(stream_);
}

const Registered<CpuLayerEntry> kRegistered(BatchNorm().kind(),
                                            {[](const Workbench& bench, const Link& link) {
                                               return std::make_unique<BatchNormLayer>(bench, link);
                                             },
                                             /*absorbs_relu=*/true});

}  // namespace
}  // namespace easgd::cpu
