#include "kernels/tiles.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace easgd::kernels {

bool has_tiles() {
  static const bool has = [] {
    constexpr long kRequestState = 0x1023, kTileData = 18;
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("amx-bf16") &&
           syscall(SYS_arch_prctl, kRequestState, kTileData) == 0;
  }();
  return has;
}

}  // namespace easgd::kernels
