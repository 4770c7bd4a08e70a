// Distributions of initial weights.
#pragma once

#include <string>
#include <vector>

#include "nn/layer.h"

namespace easgd {

std::vector<std::string> initial_names();

/// Uniform weights of a layer with `fan_in` inputs to each output:
///   "he"      variance 2 / fan_in, for layers that a ReLU follows [He15]
///   "lecun"   variance 1 / fan_in
///   "pytorch" variance 1 / (3 fan_in), the default of torch.nn.Conv2d and Linear
///   "zero"    all zero
Initial initial_weight(const std::string& name, double fan_in);

}  // namespace easgd
