#include "nn/batch_norm.h"

namespace easgd {

void BatchNorm::fields(config::Fields& f) {
  f.synonym("eps", "epsilon");  // as in PyTorch
  f.number("epsilon", epsilon, {1e-12, 1}, "added to the variance");
  f.number("momentum", momentum, {0, 1}, "weight of a batch in the running statistics");
}

std::vector<Parameter> BatchNorm::parameters(Shape input) const {
  return {{"weight", {input.channels}, {0, 1}}, {"bias", {input.channels}, {0, 0}}};
}

std::vector<Parameter> BatchNorm::statistics(Shape input) const {
  return {{"running_mean", {input.channels}, {0, 0}}, {"running_var", {input.channels}, {0, 1}}};
}

namespace {
const auto kRegistered = register_layer<BatchNorm>();
}

}  // namespace easgd
