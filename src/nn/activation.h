#pragma once

#include "nn/layer.h"

namespace easgd {

/// max(x, 0).
struct Relu final : Layer {
  std::string kind() const override { return "relu"; }
  Shape output(Shape input) const override { return input; }
};

/// Hyperbolic tangent.
struct Tanh final : Layer {
  std::string kind() const override { return "tanh"; }
  Shape output(Shape input) const override { return input; }
};

}  // namespace easgd
