// bf16: the upper half of a float.
#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace easgd::kernels {

/// Converts to float exactly, from float by rounding to the nearest, ties to even.
struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;
  EASGD_HD explicit Bf16(float value) {
    const auto u = __builtin_bit_cast(std::uint32_t, value);
    const std::uint32_t rounded = u + 0x7FFFu + ((u >> 16) & 1);
    bits = std::uint16_t((value == value ? rounded : u | 0x00400000u) >> 16);
  }
  EASGD_HD operator float() const { return __builtin_bit_cast(float, std::uint32_t{bits} << 16); }
};

}  // namespace easgd::kernels
