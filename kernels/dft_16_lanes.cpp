// With AVX-512.
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "kernels/dft.h"
#include "kernels/dft_variants.h"

#include "kernels/lanes_16.h"

#include "kernels/dft_loops.h"

namespace easgd::kernels {

Dfts dfts_of_16_lanes() {
  return {kLanes, kLengths};
}

}  // namespace easgd::kernels
