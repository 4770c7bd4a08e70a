// The ways to compute a convolution, and the rule that chooses: a function of shapes alone, so that
// the same network always computes the same bits.
#pragma once

#include <memory>

#include "backend/cpu/cpu_layer.h"
#include "kernels/conv2d_shape.h"
#include "kernels/tiles.h"

namespace easgd::cpu {

/// Of a piece, and a plain convolution.
kernels::Conv2dShape kernel_shape(const Workbench& bench, const Stage& stage);

/// What our own convolutions multiply: what the model's precision asks for, where AMX can.
kernels::Factors factors_of(const Workbench& bench);

/// Through the Fourier transform, samples innermost: conv2d_fft.cpp.
std::unique_ptr<CpuLayer> make_fft_conv2d(const Link& link);
/// Whether that is possible and faster than oneDNN's direct convolution.
bool fft_conv2d_pays(const Workbench& bench, const Stage& stage);

/// By minimal filtering, channels innermost: conv2d_winograd.cpp.
std::unique_ptr<CpuLayer> make_winograd_conv2d(const Link& link);
/// Whether that is possible and faster than oneDNN's direct convolution.
bool winograd_conv2d_pays(const Workbench& bench, const Stage& stage);

/// Together with the pooling that was fused to it: conv2d_pooled.cpp.
std::unique_ptr<CpuLayer> make_pooled_conv2d(const Link& link);
/// Of the network's first convolution and what follows it.
bool can_pool_in_conv2d(const Workbench& bench, const Stage& conv, const Stage& pool);

}  // namespace easgd::cpu
