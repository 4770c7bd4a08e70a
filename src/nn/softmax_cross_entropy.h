#pragma once

#include "nn/layer.h"

namespace easgd {

/// The loss: mean over the batch of -log softmax(x)[label]. Last layer of every network; its input
/// has one value a class.
struct SoftmaxCrossEntropy final : Layer {
  std::string kind() const override { return "softmax_cross_entropy"; }
  Shape output(Shape input) const override { return input; }
};

}  // namespace easgd
