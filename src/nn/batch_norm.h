#pragma once

#include "nn/layer.h"

namespace easgd {

/// Normalises every channel, then scales and shifts it:
///   y = weight (x - mean) / sqrt(variance + epsilon) + bias
/// In training with the mean and variance of the batch's N H W values of the channel, and then
///   running_mean += momentum (mean - running_mean)
///   running_var  += momentum (variance N H W / (N H W - 1) - running_var)
/// which are what evaluation normalises with. Names and defaults are torch.nn.BatchNorm2d's.
/// Source: [Ioffe and Szegedy 2015]
struct BatchNorm final : Layer {
  double epsilon = 1e-5;
  double momentum = 0.1;

  std::string kind() const override { return "batchnorm"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override { return input; }
  std::vector<Parameter> parameters(Shape input) const override;
  std::vector<Parameter> statistics(Shape input) const override;
  double forward_flops(Shape input) const override { return 4 * double(input.size()); }
};

}  // namespace easgd
