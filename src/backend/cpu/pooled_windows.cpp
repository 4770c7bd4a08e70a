#include "backend/cpu/pooled_windows.h"

#include <vector>

#include "kernels/processor.h"

namespace easgd::cpu {

std::span<const PooledWindows> pooled_windows() {
  static const std::vector<PooledWindows> all =
      kernels::has_avx512() ? std::vector{pooled_windows_of_16_lanes(), pooled_windows_of_8_lanes()}
                            : std::vector{pooled_windows_of_8_lanes()};
  return all;
}

}  // namespace easgd::cpu
