// Rewrites the stages into an equivalent one that costs less. Three rules, in this order:
//
//   relu, maxpool -> maxpool, relu         A maximum and max(x, 0) commute, both being monotone, and
//                                          ReLU then touches one value a window. Gradients are the
//                                          same too: a positive maximum is at the same place before
//                                          and after ReLU, and others let no gradient through.
//   conv, maxpool -> conv that pools       where it is the network's first and conv2d_pooled.cpp
//   can a layer, relu -> the layer with relu   where its entry says that it absorbs one
//
// Only where nothing else takes what lies between the two.
#pragma once

#include <vector>

#include "backend/cpu/cpu_layer.h"

namespace easgd::cpu {

/// Throws: ConfigError where there is no such layer on the CPU.
const CpuLayerEntry& entry_of(const Link& link);

std::vector<Link> fuse(const Workbench& bench);

/// How many of the links take the output of a stage.
std::size_t takers(const std::vector<Link>& links, std::size_t stage);

}  // namespace easgd::cpu
