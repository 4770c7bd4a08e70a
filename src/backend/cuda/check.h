// What CUDA and its libraries answer, as DeviceError.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

namespace easgd::cuda {

/// `call` names what was asked: "cudaMalloc of 3 GiB".
/// Throws: DeviceError "cuda:0: cudaMalloc of 3 GiB: out of memory".
void check(cudaError_t answer, const char* call);
void check(cudnnStatus_t answer, const char* call);
void check(cublasStatus_t answer, const char* call);

}  // namespace easgd::cuda
