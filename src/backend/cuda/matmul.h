// One matrix product by cuBLASLt, planned once.
#pragma once

#include "backend/cuda/workbench.h"

namespace easgd::cuda {

using MatmulDescriptor = Handle<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using MatrixLayout = Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

/// A matrix in column-major order, as cuBLAS sees it, of the format's type, and whether the product
/// takes it transposed.
struct Matrix {
  int rows = 0, columns = 0;
  bool transposed = false;
  bool aligned = true;  ///< begins on a boundary of 16 bytes; parameters begin on one of 4
};

/// What becomes of a product: c = a b, or c + a b if `add`.
struct Result {
  bool bf16 = false;  ///< else float
  bool add = false;
  bool aligned = true;
};

class Matmul {
 public:
  Matmul(Workbench& bench, Matrix a, Matrix b, Result c);

  void operator()(const Workbench& bench, const void* a, const void* b, void* c) const;

 private:
  MatmulDescriptor descriptor_;
  MatrixLayout a_, b_, c_;
  cublasLtMatmulAlgo_t algorithm_{};
  bool add_;
};

}  // namespace easgd::cuda
