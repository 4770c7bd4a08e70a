// Kernels that are compiled for different processors.
#pragma once

#include <vector>

namespace easgd::kernels {

/// Those variants that this processor, and the system, has instructions for, the fastest first.
/// AVX-512: what arch=x86-64-v4 means.
template <class Variant>
std::vector<Variant> usable_variants(const Variant& avx512, const Variant& avx2) {
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512cd") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has_avx512 ? std::vector{avx512, avx2} : std::vector{avx2};
}

}  // namespace easgd::kernels
