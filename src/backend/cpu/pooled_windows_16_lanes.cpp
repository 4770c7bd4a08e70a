// With AVX-512.
#include <immintrin.h>

#include "backend/cpu/pooled_windows.h"

// What is included above stays as it is: others use it, too.
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")

namespace easgd::cpu {
namespace {
constexpr std::size_t kLanes = 16;

/// Of values below 256. Not convertvector: GCC 12 extracts one by one.
inline void narrow(std::uint8_t* p, std::int32_t __attribute__((vector_size(64))) v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm512_maskz_cvtepi32_epi8(0xFFFF, __builtin_bit_cast(__m512i, v)));
}
}  // namespace
}  // namespace easgd::cpu

#include "backend/cpu/pooled_windows_loops.h"

namespace easgd::cpu {

PooledWindows pooled_windows_of_16_lanes() {
  return {kLanes,
          6,
          {forward_channels<1>, forward_channels<2>, forward_channels<3>, forward_channels<4>,
           forward_channels<5>, forward_channels<6>}};
}

}  // namespace easgd::cpu
