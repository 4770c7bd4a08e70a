#include "nn/softmax_cross_entropy.h"

namespace easgd {

void SoftmaxCrossEntropy::fields(config::Fields& f) {
  f.number("label_smoothing", label_smoothing, {0, 1},
           "share of a label that all classes have in equal parts, in training");
}

namespace {
const auto kRegistered = register_layer<SoftmaxCrossEntropy>();
}

}  // namespace easgd
