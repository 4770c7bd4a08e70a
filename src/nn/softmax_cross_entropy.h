#pragma once

#include "nn/layer.h"

namespace easgd {

/// The loss: mean over the batch of -log softmax(x)[label]. Last layer of every network; its input
/// has one value a class. In training the label's share of a sample's loss is 1 - label_smoothing,
/// and all classes have the rest in equal parts, as in torch.nn.CrossEntropyLoss.
struct SoftmaxCrossEntropy final : Layer {
  double label_smoothing = 0;

  std::string kind() const override { return "softmax_cross_entropy"; }
  void fields(config::Fields& f) override;
  Shape output(Shape input) const override { return input; }
};

}  // namespace easgd
