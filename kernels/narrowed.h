// Sixteen numbers in bf16, for sources that are compiled for AVX-512 (kernels/lanes_16.h).
#pragma once

#include <cstdint>

namespace easgd::kernels {
namespace {

/// Rounded to the nearest, ties to even, in the lower halves of words.
[[gnu::target("avx512bf16")]] inline std::int32_t __attribute__((vector_size(64)))
narrowed(const float* from) {
  typedef float Floats __attribute__((vector_size(64)));
  typedef float UnalignedFloats __attribute__((vector_size(64), aligned(4)));
  typedef std::uint16_t Halves __attribute__((vector_size(32)));
  typedef std::int32_t Words __attribute__((vector_size(64)));
  const auto floats = Floats(*reinterpret_cast<const UnalignedFloats*>(from));
  return __builtin_convertvector(Halves(__builtin_ia32_cvtneps2bf16_v16sf(floats)), Words);
}

}  // namespace
}  // namespace easgd::kernels
