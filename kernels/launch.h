// Kernels on a CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/elementwise.h"
#include "kernels/layer_passes.h"

namespace easgd::kernels {

/// Runs kernel(i) for i in [0, count), in any order, as the next work of `stream`. All pointers are
/// into the current device's memory.
/// Throws: std::exception if the device refuses it.
void launch(const Elementwise& kernel, std::size_t count, cudaStream_t stream);
void launch(const LayerPass& kernel, std::size_t count, cudaStream_t stream);

/// The sums of all channels, as the next work of `stream`.
/// Throws: std::exception if the device refuses it.
void launch(const ChannelSum& sum, const ReductionLayout& reduction, const SumsScratch& scratch,
            cudaStream_t stream);

/// Of the oldest devices that these run on: 80 for compute capability 8.0.
int oldest_capability();

}  // namespace easgd::kernels
