#pragma once

#include "nn/layer.h"

namespace easgd {

/// The bottleneck block of ResNet-50, 101, 152: a 3x3 convolution between two of 1x1 around a
/// shortcut,
///   y = relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + shortcut(x))
/// with channels / 4 channels inside. conv2 has the stride, as in torchvision, whose names the
/// parts have: "<name>.conv1.weight". The shortcut is that of `residual`.
/// Source: [He16] figure 5 right.
struct Bottleneck final : Layer {
  std::int64_t channels = 0;
  std::int64_t stride = 1;

  std::string kind() const override { return "bottleneck"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override { return input; }  // of no use: parts have shapes
  std::vector<std::shared_ptr<Layer>> parts(Shape input, const std::string& from) const override;
};

}  // namespace easgd
