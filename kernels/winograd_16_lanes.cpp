// With AVX-512.
#include <algorithm>
#include <array>
#include <utility>

#include "kernels/winograd_conv2d.h"
#include "kernels/winograd_variants.h"

#include "kernels/lanes_16.h"

#include "kernels/winograd_loops.h"

namespace easgd::kernels {

WinogradKernels winograd_of_16_lanes() {
  return kKernels;
}

}  // namespace easgd::kernels
