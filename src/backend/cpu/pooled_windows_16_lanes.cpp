// With AVX-512.
#include <utility>

#include "backend/cpu/pooled_windows.h"

#include "kernels/lanes_16.h"

namespace easgd::cpu {
namespace {

/// Of values below 256.
inline void narrow(std::uint8_t* p, std::int32_t __attribute__((vector_size(64))) v) {
  using Bytes = std::uint8_t __attribute__((vector_size(64)));
  using UnalignedBytes = std::uint8_t __attribute__((vector_size(16), aligned(1)));
  const auto bytes = __builtin_bit_cast(Bytes, v);
  *reinterpret_cast<UnalignedBytes*>(p) = __builtin_shufflevector(
      bytes, bytes, 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
}

}  // namespace
}  // namespace easgd::cpu

#include "backend/cpu/pooled_windows_loops.h"

namespace easgd::cpu {

PooledWindows pooled_windows_of_16_lanes() {
  return {kLanes,
          6,
          {forward_channels<1>, forward_channels<2>, forward_channels<3>, forward_channels<4>,
           forward_channels<5>, forward_channels<6>},
          kAccumulate};
}

}  // namespace easgd::cpu
