#pragma once

#include "base/sides.h"
#include "nn/layer.h"

namespace easgd {

/// 2-D convolution (cross-correlation), and a bias unless use_bias is false. The channels of input
/// and output are cut into `groups` groups, of which each sees its own alone: with as many groups
/// as channels it is depthwise.
struct Conv2d final : Layer {
  std::int64_t channels = 0;
  Sides kernel;
  Sides stride = {1, 1};
  Sides pad;
  std::int64_t groups = 1;
  std::string init = "pytorch";
  double bias = 0;
  bool use_bias = true;

  /// One group, and kernel, stride and padding the same on both sides.
  bool is_plain() const;

  std::string kind() const override { return "conv"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override;
  std::vector<Parameter> parameters(Shape input) const override;
  double forward_flops(Shape input) const override;
};

}  // namespace easgd
