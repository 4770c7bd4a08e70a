#include "nn/dropout.h"

namespace easgd {

void Dropout::fields(config::Fields& f) {
  f.synonym("p", "rate");  // as in PyTorch
  f.number("rate", rate, {0, 0.99}, "probability that an activation is zeroed in training");
}

namespace {
const auto kRegistered = register_layer<Dropout>();
}

}  // namespace easgd
