#include "backend/cuda/matmul.h"

#include "backend/cuda/descriptor.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // bytes; what NVIDIA advises for Hopper

MatrixLayout layout_of(const Matrix& m) {
  MatrixLayout layout;
  check(cublasLtMatrixLayoutCreate(layout.place(), CUDA_R_32F, std::uint64_t(m.rows),
                                   std::uint64_t(m.columns), m.rows),
        "cublasLtMatrixLayoutCreate");
  return layout;
}

template <class Value>
void set(cublasLtMatmulDesc_t descriptor, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check(cublasLtMatmulDescSetAttribute(descriptor, attribute, &value, sizeof value),
        "cublasLtMatmulDescSetAttribute");
}

}  // namespace

Matmul::Matmul(Workbench& bench, Matrix a, Matrix b, bool add) : add_(add) {
  const auto products = bench.tf32() ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check(cublasLtMatmulDescCreate(descriptor_.place(), products, CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  const auto operation = [](const Matrix& m) { return m.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(descriptor_, CUBLASLT_MATMUL_DESC_TRANSA, operation(a));
  set(descriptor_, CUBLASLT_MATMUL_DESC_TRANSB, operation(b));
  const Matrix c{a.transposed ? a.columns : a.rows, b.transposed ? b.rows : b.columns};
  a_ = layout_of(a);
  b_ = layout_of(b);
  c_ = layout_of(c);

  Handle<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> preference;
  check(cublasLtMatmulPreferenceCreate(preference.place()), "cublasLtMatmulPreferenceCreate");
  check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &kWorkspace, sizeof kWorkspace),
        "cublasLtMatmulPreferenceSetAttribute");
  // Parameters lie in a flat vector, wherever the layers before have left off.
  constexpr std::uint32_t kAlignment = sizeof(float);
  for (const auto alignment :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    check(
        cublasLtMatmulPreferenceSetAttribute(preference, alignment, &kAlignment, sizeof kAlignment),
        "cublasLtMatmulPreferenceSetAttribute");
  }
  bench.reserve(kWorkspace);
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  check(cublasLtMatmulAlgoGetHeuristic(bench.cublas(), descriptor_, a_, b_, c_, c_, preference, 1,
                                       &best, &found),
        "cublasLtMatmulAlgoGetHeuristic");
  if (found == 0) check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic");
  algorithm_ = best.algo;
}

void Matmul::operator()(const Workbench& bench, const float* a, const float* b, float* c) const {
  check(cublasLtMatmul(bench.cublas(), descriptor_, &kOne, a, a_, b, b_, kept(add_), c, c_, c, c_,
                       &algorithm_, bench.workspace(), bench.workspace_bytes(), bench.stream()),
        "cublasLtMatmul");
}

}  // namespace easgd::cuda
