// Turns the stages into equivalent links that cost less. Three rules, in this order:
//
//   relu, maxpool -> maxpool, relu         A maximum and max(x, 0) commute, being monotone, and
//                                          ReLU then touches one value a window. Gradients are the
//                                          same too: a positive maximum is at the same index before
//                                          and after ReLU, and others let no gradient through.
//   conv, maxpool -> conv that pools       if it is the network's first and conv2d_pooled.cpp can
//   a layer, relu -> the layer with relu   if its entry says that it absorbs one
//
// Only if nothing else takes what lies between the two.
#pragma once

#include <vector>

#include "backend/cpu/cpu_layer.h"

namespace easgd::cpu {

/// Throws: ConfigError if there is no such layer on the CPU.
const CpuLayerEntry& entry_of(const Link& link);

std::vector<Link> fuse(const Workbench& bench);

}  // namespace easgd::cpu
