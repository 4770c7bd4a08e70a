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

/// x Phi(x), Phi being the standard normal distribution's.
struct Gelu final : Layer {
  std::string kind() const override { return "gelu"; }
  Shape output(Shape input) const override { return input; }
};

/// x / (1 + exp(-x)).
struct Silu final : Layer {
  std::string kind() const override { return "silu"; }
  Shape output(Shape input) const override { return input; }
};

}  // namespace easgd
