// Distributions of initial weights.
#pragma once

#include <string>
#include <vector>

#include "nn/layer.h"

namespace easgd {

std::vector<std::string> initial_names();

/// Uniform weights of a layer with `fan_in` inputs to each output:
///   "pytorch" variance 1 / (3 fan_in), the default of torch.nn.Conv2d and Linear, and ours: on the
///             CIFAR net with momentum 0.9 and learning rate 0.05 "he" ends with every ReLU dead
///   "lecun"   variance 1 / fan_in
///   "he"      variance 2 / fan_in, for layers that a ReLU follows [He15]
///   "zero"    all zero
Initial initial_weight(const std::string& name, double fan_in);

}  // namespace easgd
