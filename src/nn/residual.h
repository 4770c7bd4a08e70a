#pragma once

#include "nn/layer.h"

namespace easgd {

/// The basic block of ResNet-18, 20, 34...: two 3x3 convolutions with batch normalisation around a
/// shortcut,
///   y = relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))
/// where conv1 has the stride, and shortcut(x) is x if the shapes agree, else a 1x1 convolution
/// with batch normalisation ("downsample.0", "downsample.1"). Parts are named as in torchvision:
/// "<name>.conv1.weight".
/// Source: [He16] figure 5 left, shortcuts of type B.
struct Residual final : Layer {
  std::int64_t channels = 0;
  std::int64_t stride = 1;

  std::string kind() const override { return "residual"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override { return input; }  // of no use: parts have shapes
  std::vector<std::shared_ptr<Layer>> parts(Shape input, const std::string& from) const override;
};

}  // namespace easgd
