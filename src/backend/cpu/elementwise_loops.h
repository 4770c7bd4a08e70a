// Loops over whole activations, in any layout.
#pragma once

#include <cstddef>

#include "backend/cpu/storage.h"

namespace easgd::cpu {

/// Calls f(i) for every stored element, vectorised. f must touch element i alone.
template <class Function>
void for_each_element(std::size_t count, const Function& f) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) f(i);
}

/// values = max(values, 0); a NaN stays one.
void apply_relu(const memory& values);
/// target += addend. Both in the same layout.
void add_to(const memory& target, const memory& addend);
/// gradient = 0 where output <= 0: the backward pass of a ReLU. Both in the same layout.
void block_gradient(const memory& output, const memory& gradient);

}  // namespace easgd::cpu
