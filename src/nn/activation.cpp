#include "nn/activation.h"

namespace easgd {
namespace {
const auto kReluRegistered = register_layer<Relu>();
const auto kTanhRegistered = register_layer<Tanh>();
const auto kGeluRegistered = register_layer<Gelu>();
const auto kSiluRegistered = register_layer<Silu>();
}  // namespace
}  // namespace easgd
