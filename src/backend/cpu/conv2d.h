// The ways to compute a convolution, and the rule that chooses: a function of shapes and precision
// alone, so that the same network always computes the same bits.
#pragma once

#include <memory>

#include "backend/cpu/cpu_layer.h"

namespace easgd::cpu {

/// Through the Fourier transform, samples innermost: conv2d_fft.cpp.
std::unique_ptr<CpuLayer> make_fft_conv2d(const Link& link);
/// Whether that is possible and faster than oneDNN's direct convolution.
bool fft_conv2d_pays(const Workbench& bench, const Stage& stage);

}  // namespace easgd::cpu
