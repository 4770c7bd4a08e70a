// With AVX2.
#include <algorithm>
#include <array>
#include <utility>

#include "kernels/lanes_8.h"
#include "kernels/winograd_conv2d.h"
#include "kernels/winograd_variants.h"

#include "kernels/winograd_loops.h"

namespace easgd::kernels {

WinogradKernels winograd_of_8_lanes() {
  return kKernels;
}

}  // namespace easgd::kernels
