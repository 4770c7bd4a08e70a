#include "nn/activation.h"

namespace easgd {
namespace {
const auto kReluRegistered = register_layer<Relu>();
const auto kTanhRegistered = register_layer<Tanh>();
}  // namespace
}  // namespace easgd
