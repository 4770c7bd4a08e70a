// cuDNN's descriptions of tensors.
#pragma once

#include "backend/cuda/check.h"
#include "backend/cuda/handle.h"
#include "data/dataset.h"

namespace easgd::cuda {

using TensorDescriptor = Handle<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor>;

/// [N][C][H][W], float32.
inline TensorDescriptor describe(int samples, Shape shape) {
  TensorDescriptor descriptor;
  check(cudnnCreateTensorDescriptor(descriptor.place()), "cudnnCreateTensorDescriptor");
  check(cudnnSetTensor4dDescriptor(descriptor, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, samples,
                                   shape.channels, shape.height, shape.width),
        "cudnnSetTensor4dDescriptor");
  return descriptor;
}

/// The factors of a result and of what it is added to, as cuDNN and cuBLAS want them.
inline constexpr float kOne = 1, kZero = 0;
inline const float* kept(bool add) {
  return add ? &kOne : &kZero;
}

}  // namespace easgd::cuda
