// With AVX2.
#include <algorithm>
#include <array>
#include <utility>

#include "kernels/winograd_conv2d.h"
#include "kernels/winograd_variants.h"

namespace easgd::kernels {
namespace {
constexpr int kLanes = 8;
}
}  // namespace easgd::kernels

#include "kernels/winograd_loops.h"

namespace easgd::kernels {

WinogradKernels winograd_of_8_lanes() {
  return kKernels;
}

}  // namespace easgd::kernels
