#pragma once

#include "base/sides.h"
#include "nn/layer.h"

namespace easgd {

/// Pooling windows; one that would leave the image and its padding is left out. Padding is nothing
/// to a maximum, and zeros to a mean, as in PyTorch.
struct Pool2d : Layer {
  Sides kernel = {2, 2};
  Sides stride = {2, 2};
  Sides pad;

  void fields(config::Fields& f) override;
  Shape output(Shape input) const override;
  double forward_flops(Shape input) const override;
};

struct MaxPool2d final : Pool2d {
  std::string kind() const override { return "maxpool"; }
};

struct AvgPool2d final : Pool2d {
  std::string kind() const override { return "avgpool"; }
};

}  // namespace easgd
