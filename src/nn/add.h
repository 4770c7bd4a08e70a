#pragma once

#include "nn/layer.h"

namespace easgd {

/// Sum of two outputs of the same shape: that of the layer before (or `from`) and that of `with`.
struct Add final : Layer {
  std::string with;

  std::string kind() const override { return "add"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override;
  std::string second() const override { return with; }
  double forward_flops(Shape input) const override { return double(input.size()); }
};

}  // namespace easgd
