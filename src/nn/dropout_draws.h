// Which random numbers a dropout layer takes: the same on every device.
#pragma once

#include <cstdint>

#include "nn/network.h"

namespace easgd {

/// D and d_l of the formula in backend/cpu/dropout.cpp.
struct DropoutDraws {
  std::uint32_t per_sample = 0, before = 0;
};

/// Those of one dropout layer of a network.
inline DropoutDraws count_draws(const Network& network, const Layer* layer) {
  DropoutDraws draws;
  for (const Stage& stage : network.stages()) {
    if (stage.layer.get() == layer) draws.before = draws.per_sample;
    if (stage.layer->kind() == layer->kind()) {
      draws.per_sample += std::uint32_t((stage.input.size() + 3) / 4);
    }
  }
  return draws;
}

}  // namespace easgd
