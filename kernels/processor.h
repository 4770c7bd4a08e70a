#pragma once

namespace easgd::kernels {

/// Whether this processor, and the system, has what arch=x86-64-v4 means.
inline bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

}  // namespace easgd::kernels
