#include "backend/cuda/matmul.h"

namespace easgd::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // bytes; what NVIDIA advises for Hopper

MatrixLayout layout_of(const Matrix& m, bool bf16) {
  MatrixLayout layout;
  const auto type = bf16 ? CUDA_R_16BF : CUDA_R_32F;
  check(cublasLtMatrixLayoutCreate(layout.put(), type, std::uint64_t(m.rows),
                                   std::uint64_t(m.columns), m.rows),
        "cublasLtMatrixLayoutCreate");
  return layout;
}

template <class Value>
void set(cublasLtMatmulDesc_t descriptor, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check(cublasLtMatmulDescSetAttribute(descriptor, attribute, &value, sizeof value),
        "cublasLtMatmulDescSetAttribute");
}

void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
         auto value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
}

/// In bytes. Parameters lie in a flat vector, wherever the layers before have left off.
std::uint32_t alignment(bool aligned) {
  return aligned ? 16 : sizeof(float);
}

}  // namespace

Matmul::Matmul(Workbench& bench, Matrix a, Matrix b, Result result) : add_(result.add) {
  const bool bf16 = bench.format().bf16;
  const auto products =
      bench.tensor_cores() && !bf16 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check(cublasLtMatmulDescCreate(descriptor_.put(), products, CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  const auto operation = [](const Matrix& m) { return m.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(descriptor_, CUBLASLT_MATMUL_DESC_TRANSA, operation(a));
  set(descriptor_, CUBLASLT_MATMUL_DESC_TRANSB, operation(b));
  const Matrix c{a.transposed ? a.columns : a.rows, b.transposed ? b.rows : b.columns};
  a_ = layout_of(a, bf16);
  b_ = layout_of(b, bf16);
  c_ = layout_of(c, result.bf16);

  Handle<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> preference;
  check(cublasLtMatmulPreferenceCreate(preference.put()), "cublasLtMatmulPreferenceCreate");
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{kWorkspace});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(a.aligned));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(b.aligned));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(result.aligned));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(result.aligned));
  // Sums of parts are not rounded to the format before they are added up.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  bench.reserve(kWorkspace);
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  check(cublasLtMatmulAlgoGetHeuristic(bench.cublas(), descriptor_, a_, b_, c_, c_, preference, 1,
                                       &best, &found),
        "cublasLtMatmulAlgoGetHeuristic");
  if (found == 0) check(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic");
  algorithm_ = best.algo;
}

void Matmul::operator()(const Workbench& bench, const void* a, const void* b, void* c) const {
  const float one = 1, kept = add_ ? 1 : 0;
  check(cublasLtMatmul(bench.cublas(), descriptor_, &one, a, a_, b, b_, &kept, c, c_, c, c_,
                       &algorithm_, bench.workspace(), bench.workspace_bytes(), bench.stream()),
        "cublasLtMatmul");
}

}  // namespace easgd::cuda
