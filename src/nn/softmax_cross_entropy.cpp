#include "nn/softmax_cross_entropy.h"

namespace easgd {
namespace {
const auto kRegistered = register_layer<SoftmaxCrossEntropy>();
}
}  // namespace easgd
