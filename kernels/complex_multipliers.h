// The ways to multiply complex matrices, compiled for different processors.
#pragma once

#include "kernels/complex_product.h"

namespace easgd::kernels {

ComplexMultiplier complex_by_onednn();    ///< three real products, by oneDNN
ComplexMultiplier complex_of_16_lanes();  ///< AVX-512
ComplexMultiplier complex_of_tiles();     ///< AMX, in bf16

}  // namespace easgd::kernels
