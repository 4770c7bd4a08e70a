#include "backend/cpu/pooled_windows.h"

#include "kernels/processor.h"

namespace easgd::cpu {

std::span<const PooledWindows> pooled_windows() {
  static const auto all =
      kernels::usable_variants(pooled_windows_of_16_lanes(), pooled_windows_of_8_lanes());
  return all;
}

}  // namespace easgd::cpu
