// One matrix product by cuBLASLt, planned once.
#pragma once

#include "backend/cuda/workbench.h"

namespace easgd::cuda {

using MatmulDescriptor = Handle<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using MatrixLayout = Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

/// A matrix in column-major order, as cuBLAS sees it, and whether the product takes it transposed.
struct Matrix {
  int rows = 0, columns = 0;
  bool transposed = false;
};

class Matmul {
 public:
  /// c = a b, or c + a b where `add`.
  Matmul(Workbench& bench, Matrix a, Matrix b, bool add = false);

  void operator()(const Workbench& bench, const float* a, const float* b, float* c) const;

 private:
  MatmulDescriptor descriptor_;
  MatrixLayout a_, b_, c_;
  cublasLtMatmulAlgo_t algorithm_{};
  bool add_;
};

}  // namespace easgd::cuda
