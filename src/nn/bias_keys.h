// The keys of a layer's bias: where it starts, and whether there is one. PyTorch's `bias = false`
// says the latter as `use_bias = false` does.
#pragma once

#include "config/fields.h"

namespace easgd {

/// Throws: ConfigError if both keys are given and contradict each other.
void bias_fields(config::Fields& f, double& bias, bool& use_bias);

}  // namespace easgd
