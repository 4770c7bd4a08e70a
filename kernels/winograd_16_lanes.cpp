// With AVX-512.
#include <algorithm>
#include <array>
#include <utility>

#include "kernels/winograd_conv2d.h"
#include "kernels/winograd_variants.h"

// What is included above stays as it is: others use it, too.
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")

namespace easgd::kernels {
namespace {
constexpr int kLanes = 16;
}
}  // namespace easgd::kernels

#include "kernels/winograd_loops.h"

namespace easgd::kernels {

WinogradKernels winograd_of_16_lanes() {
  return kKernels;
}

}  // namespace easgd::kernels
