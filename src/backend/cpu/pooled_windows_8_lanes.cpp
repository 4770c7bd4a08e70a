// With AVX2.
#include <cstring>
#include <utility>

#include "backend/cpu/pooled_windows.h"
#include "backend/cpu/vector8.h"

#include "kernels/lanes_8.h"

#include "backend/cpu/pooled_windows_loops.h"

#include "backend/cpu/filtered_windows_loops.h"

namespace easgd::cpu {

PooledWindows pooled_windows_of_8_lanes() {
  return {kLanes,          3,      {forward_channels<1>, forward_channels<2>, forward_channels<3>},
          transform_patch, filter, kAccumulate};
}

}  // namespace easgd::cpu
