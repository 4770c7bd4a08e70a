// How activations are stored: as float, or as bf16, the upper half of a float.
#pragma once

#include <bit>
#include <cstdint>

#include "backend/cpu/onednn.h"

namespace easgd::cpu {

/// Converts to float exactly, from float by rounding to the nearest, ties to even.
struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;
  explicit Bf16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = u + 0x7FFFu + ((u >> 16) & 1);
    bits = std::uint16_t((value == value ? rounded : u | 0x00400000u) >> 16);
  }
  operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

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

/// Elements in memory, a layout's padding included.
inline std::size_t stored_elements(const memory::desc& desc) {
  return desc.get_size() / memory::data_type_size(desc.data_type());
}

}  // namespace easgd::cpu
