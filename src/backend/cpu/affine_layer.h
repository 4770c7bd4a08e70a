// What convolution and linear layers have in common on oneDNN:
//
//   y = W * x + b, then max(y, 0) if a ReLU is fused; b may be missing
//   dx = W^T * dy      dW = dy * x^T      db = sum of dy
//
// Three primitives that may each want its own layout of x, y and W. Parameters and their gradients
// are slices of the flat vectors, in PyTorch's order, and converted to and fro if a primitive
// wants another order or bf16.
#pragma once

#include "backend/cpu/cpu_layer.h"

namespace easgd::cpu {

class AffineLayer : public CpuLayer {
 public:
  explicit AffineLayer(const Link& link);

  Activation compile_forward(Workbench& bench, std::span<const Activation> inputs) final;
  Activation compile_backward(Workbench& bench, const Activation& output_gradient,
                              bool input_gradient_wanted) final;
  void forward(CpuPass& pass) final;
  void backward(CpuPass& pass) final;

 protected:
  using Attributes = dnnl::primitive_attr;

  virtual dnnl::primitive_desc forward_descriptor(const Workbench& bench, const memory::desc& input,
                                                  const Attributes& attributes) = 0;
  /// After forward_descriptor, which is their hint.
  virtual dnnl::primitive_desc data_descriptor(const Workbench& bench,
                                               const Attributes& attributes) = 0;
  virtual dnnl::primitive_desc weights_descriptor(const Workbench& bench,
                                                  const Attributes& attributes) = 0;
  /// Dimensions of W as the primitives see it, in the order of the flat vector.
  virtual memory::dims weight_dims() const = 0;
  const Stage& stage() const { return stage_; }

 private:
  void compile_weights_gradient(Workbench& bench);
  void compile_data_gradient(Workbench& bench);

  const Stage& stage_;
  const bool relu_;
  dnnl::stream stream_;

  bool has_bias() const { return stage_.slices.size() > 1; }

  memory weight_, bias_;  // bound to slices of x at every pass; bias_ is empty if there is none
  memory output_;
  Converted input_, forward_weight_;
  Call forward_;

  memory weight_gradient_, bias_gradient_;  // bound to slices of g
  Converted output_gradient_;               // in the layout of output_, if a fused ReLU masks it
  Converted gradient_for_weights_, input_for_weights_;
  Call backward_weights_, deliver_weight_gradient_;

  memory input_gradient_;
  Converted gradient_for_data_, backward_weight_;
  Call backward_data_;
};

}  // namespace easgd::cpu
