// How activations are stored: as float, or as bf16, the upper half of a float.
#pragma once

#include "backend/cpu/onednn.h"
#include "kernels/bf16.h"

namespace easgd::cpu {

using kernels::Bf16;

/// Calls f(pointer) with the memory's elements as what they are.
template <class Function>
void with_elements(const memory& m, const Function& f) {
  void* data = m.get_data_handle();
  if (m.get_desc().data_type() == memory::data_type::bf16) {
    f(static_cast<Bf16*>(data));
  } else {
    f(static_cast<float*>(data));
  }
}

/// Of a memory that holds floats.
inline float* floats(const memory& m) {
  return static_cast<float*>(m.get_data_handle());
}

/// Elements in memory, a layout's padding included.
inline std::size_t stored_elements(const memory::desc& desc) {
  return desc.get_size() / memory::data_type_size(desc.data_type());
}

}  // namespace easgd::cpu
