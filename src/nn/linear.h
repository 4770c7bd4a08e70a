#pragma once

#include "nn/layer.h"

namespace easgd {

/// Fully connected layer, with a bias unless use_bias is false; flattens its input in the order
/// [C][H][W].
struct Linear final : Layer {
  std::int64_t outputs = 0;
  std::string init = "pytorch";
  double bias = 0;
  bool use_bias = true;

  std::string kind() const override { return "linear"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override;
  std::vector<Parameter> parameters(Shape input) const override;
  double forward_flops(Shape input) const override;
};

}  // namespace easgd
