#include "nn/linear.h"

#include "nn/bias_keys.h"
#include "nn/initial.h"

namespace easgd {

void Linear::fields(config::Fields& f) {
  f.synonym("out_features", "outputs");  // as in PyTorch
  f.integer("outputs", outputs, {1, 1 << 20}, "number of outputs");
  f.choice("init", init, initial_names(), "distribution of the initial weights");
  bias_fields(f, bias, use_bias);
}

Shape Linear::output(Shape) const {
  return {int(outputs), 1, 1};
}

std::vector<Parameter> Linear::parameters(Shape input) const {
  std::vector<Parameter> all = {{"weight",
                                 {outputs, std::int64_t(input.size())},
                                 initial_weight(init, double(input.size()))}};
  if (use_bias) all.push_back({"bias", {outputs}, {0, bias}});
  return all;
}

double Linear::forward_flops(Shape input) const {
  return 2.0 * double(outputs) * double(input.size());
}

namespace {
const auto kRegistered = register_layer<Linear>();
}

}  // namespace easgd
