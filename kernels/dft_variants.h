// kernels/dft_loops.h, compiled for different processors.
#pragma once

#include "kernels/dft.h"

namespace easgd::kernels {

Dfts dfts_of_8_lanes();   ///< AVX2
Dfts dfts_of_16_lanes();  ///< AVX-512

}  // namespace easgd::kernels
