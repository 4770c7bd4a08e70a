// With AVX-512.
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "kernels/dft.h"
#include "kernels/dft_variants.h"

// What is included above stays as it is: others use it, too.
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")

namespace easgd::kernels {
namespace {
constexpr int kLanes = 16;
}
}  // namespace easgd::kernels

#include "kernels/dft_loops.h"

namespace easgd::kernels {

Dfts dfts_of_16_lanes() {
  return {kLanes, kLengths};
}

}  // namespace easgd::kernels
