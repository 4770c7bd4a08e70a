#pragma once

#include "nn/layer.h"

namespace easgd {

/// Square pooling windows without padding; a window that would leave the image is left out.
struct Pool2d : Layer {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;

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
