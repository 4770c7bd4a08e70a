// The arguments of a forward and a backward pass over a network, on every device.
#pragma once

#include <optional>

#include "base/view.h"

namespace easgd {

/// One pass, at parameters x [P]. All memory is the device's.
struct PassArguments {
  ConstView x = {};
  View g = {};                       ///< [P], empty if no backward pass follows
  bool training = false;             ///< dropout and label smoothing are on
  ConstView fixed = {};              ///< [S] statistics to normalise with; empty: the batch's
  View moved = {};                   ///< [S] statistics that move towards the batch's, or empty
  std::optional<float> weight = {};  ///< of the batch in those; else each layer's momentum
};

}  // namespace easgd
