#pragma once

#include "nn/layer.h"

namespace easgd {

/// 2-D convolution (cross-correlation) with square kernel, and a bias unless use_bias is false.
struct Conv2d final : Layer {
  std::int64_t channels = 0;
  std::int64_t kernel = 0;
  std::int64_t stride = 1;
  std::int64_t pad = 0;
  std::string init = "pytorch";
  double bias = 0;
  bool use_bias = true;

  std::string kind() const override { return "conv"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override;
  std::vector<Parameter> parameters(Shape input) const override;
  double forward_flops(Shape input) const override;
};

}  // namespace easgd
