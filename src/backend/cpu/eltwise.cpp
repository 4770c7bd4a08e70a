// GELU and SiLU by oneDNN, in whatever layout they come. Their gradients are functions of the
// input, which is therefore never overwritten.
#include "backend/cpu/cpu_layer.h"
#include "nn/activation.h"

namespace easgd::cpu {
namespace {

class EltwiseLayer final : public CpuLayer {
 public:
  explicit EltwiseLayer(dnnl::algorithm algorithm) : algorithm_(algorithm) {}

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) override {
    stream_ = bench.stream();
    input_ = inputs[0].values;
    output_ = bench.make(input_.get_desc());
    const dnnl::eltwise_forward::desc operation(dnnl::prop_kind::forward_training, algorithm_,
                                                input_.get_desc(), kAlpha, kBeta);
    hint_ = {operation, bench.attributes(), bench.engine()};
    forward_ = Call(dnnl::eltwise_forward(hint_),
                    {{DNNL_ARG_SRC, input_}, {DNNL_ARG_DST, output_}, bench.scratchpad(hint_)});
    return {output_, true};
  }

  Activation compile_backward(Workbench& bench, const Activation& dy, bool wanted) override {
    if (!wanted) return {};
    const memory::desc desc = output_.get_desc();
    gradient_ = Converted(bench, dy.values, desc, !dy.disposable);
    const dnnl::eltwise_backward::desc operation(algorithm_, desc, desc, kAlpha, kBeta);
    const dnnl::eltwise_backward::primitive_desc primitive(operation, bench.attributes(),
                                                           bench.engine(), hint_);
    backward_ = Call(dnnl::eltwise_backward(primitive), {{DNNL_ARG_SRC, input_},
                                                         {DNNL_ARG_DIFF_DST, gradient_.get()},
                                                         {DNNL_ARG_DIFF_SRC, gradient_.get()},
                                                         bench.scratchpad(primitive)});
    return {gradient_.get(), true};
  }

  void forward(CpuPass&) override { forward_(stream_); }

  void backward(CpuPass&) override {
    if (!backward_) return;
    gradient_.refresh(stream_);
    backward_(stream_);
  }

 private:
  static constexpr float kAlpha = 1, kBeta = 0;  // of SiLU: the sigmoid's factor is 1

  const dnnl::algorithm algorithm_;
  dnnl::stream stream_;
  dnnl::eltwise_forward::primitive_desc hint_;
  memory input_, output_;
  Converted gradient_;
  Call forward_, backward_;
};

CpuLayerEntry entry(dnnl::algorithm algorithm) {
  return {[algorithm](const Workbench&, const Link&) {
    return std::make_unique<EltwiseLayer>(algorithm);
  }};
}

const Registered<CpuLayerEntry> kGeluRegistered(Gelu().kind(),
                                                entry(dnnl::algorithm::eltwise_gelu_erf));
const Registered<CpuLayerEntry> kSiluRegistered(Silu().kind(),
                                                entry(dnnl::algorithm::eltwise_swish));

}  // namespace
}  // namespace easgd::cpu
