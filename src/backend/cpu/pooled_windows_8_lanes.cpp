// With AVX2.
#include "backend/cpu/pooled_windows.h"
#include "backend/cpu/vector8.h"

namespace easgd::cpu {
namespace {
constexpr std::size_t kLanes = 8;
}
}  // namespace easgd::cpu

#include "backend/cpu/pooled_windows_loops.h"

namespace easgd::cpu {

PooledWindows pooled_windows_of_8_lanes() {
  return {kLanes, 3, {forward_channels<1>, forward_channels<2>, forward_channels<3>}};
}

}  // namespace easgd::cpu
