// kernels/winograd_loops.h, compiled for different processors.
#pragma once

#include "kernels/winograd_conv2d.h"

namespace easgd::kernels {

/// For the calling thread, of its own, until it asks again.
float* winograd_scratch(std::size_t floats);

WinogradKernels winograd_of_8_lanes();   ///< AVX2
WinogradKernels winograd_of_16_lanes();  ///< AVX-512

}  // namespace easgd::kernels
