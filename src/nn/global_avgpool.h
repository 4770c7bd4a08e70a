#pragma once

#include "nn/layer.h"

namespace easgd {

/// The mean of each channel: an average pooling whose window is the image, whatever its sides.
struct GlobalAvgPool final : Layer {
  std::string kind() const override { return "global_avgpool"; }
  Shape output(Shape input) const override { return {input.channels, 1, 1}; }
  std::vector<std::shared_ptr<Layer>> parts(Shape input, const std::string& from) const override;
};

}  // namespace easgd
