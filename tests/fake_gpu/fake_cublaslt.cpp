// cuBLASLt on the device of fake_cuda.h: products on the host, as work of a stream.
//
// Matrices lie by column. An algorithm remembers what it was chosen for, and refuses less.

#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "fake_cuda.h"
#include "kernels/bf16.h"

namespace {

using Bf16 = easgd::kernels::Bf16;

constexpr std::size_t kWorkspace = 3000;  // bytes that a product wants

thread_local const char* reason = "an error";

cublasStatus_t refuse(cublasStatus_t status, const char* why) {
  reason = why;
  return status;
}

struct Description {
  cublasComputeType_t products;
  std::int32_t transposed_a = CUBLAS_OP_N, transposed_b = CUBLAS_OP_N;
};

struct Layout {
  cudaDataType_t type;
  std::size_t rows, columns, leading;

  bool same_as(const Layout& other) const {
    return type == other.type && rows == other.rows && columns == other.columns &&
           leading == other.leading;
  }
};

struct Preference {
  std::uint64_t workspace = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  // of a, b, c, d
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
};

/// In the opaque words of an algorithm.
struct Algorithm {
  std::uint32_t mark, alignment[4];
};
constexpr std::uint32_t kMark = 0xA160;

// What cuBLASLt hands out, and what it is here.
Description& real(cublasLtMatmulDesc_t d) {
  return *reinterpret_cast<Description*>(d);
}
Layout& real(cublasLtMatrixLayout_t d) {
  return *reinterpret_cast<Layout*>(d);
}
Preference& real(cublasLtMatmulPreference_t d) {
  return *reinterpret_cast<Preference*>(d);
}

template <class Value>
cublasStatus_t set(Value& value, const void* from, std::size_t bytes) {
  if (!from || bytes != sizeof value) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "an attribute of another size");
  }
  std::memcpy(&value, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

/// Whether c, d = a b can be made of these.
cublasStatus_t examine(const Description& how, const Layout& a, const Layout& b, const Layout& c,
                       const Layout& d) {
  const bool across_a = how.transposed_a == CUBLAS_OP_T, across_b = how.transposed_b == CUBLAS_OP_T;
  if ((across_a ? a.columns : a.rows) != c.rows || (across_b ? b.rows : b.columns) != c.columns ||
      (across_a ? a.rows : a.columns) != (across_b ? b.columns : b.rows)) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "matrices that cannot be multiplied");
  }
  if (!c.same_as(d)) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "a result unlike what it adds to");
  if (a.type != b.type) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "factors of two types");
  if (a.type == CUDA_R_32F && d.type != CUDA_R_32F) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "floats, and a result that is none");
  }
  if (a.type == CUDA_R_16BF && how.products != CUBLAS_COMPUTE_32F) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "bf16 with another arithmetic than 32F");
  }
  return CUBLAS_STATUS_SUCCESS;
}

/// One after the other, by column.
std::vector<float> read(const Layout& layout, const void* data, bool rounded) {
  std::vector<float> values(layout.rows * layout.columns);
  for (std::size_t j = 0; j < layout.columns; ++j) {
    for (std::size_t i = 0; i < layout.rows; ++i) {
      const std::size_t at = j * layout.leading + i;
      const float value = layout.type == CUDA_R_16BF ? float(static_cast<const Bf16*>(data)[at])
                                                     : static_cast<const float*>(data)[at];
      values[j * layout.rows + i] = rounded ? easgd::fake_cuda::to_tf32(value) : value;
    }
  }
  return values;
}

bool is_aligned(const void* data, std::uint32_t bytes) {
  return reinterpret_cast<std::uintptr_t>(data) % bytes == 0;
}

}  // namespace

namespace easgd::fake_cuda {

float to_tf32(float value) {
  const auto u = std::bit_cast<std::uint32_t>(value);
  if ((u & 0x7F800000u) == 0x7F800000u) return value;  // no number
  return std::bit_cast<float>((u + 0xFFFu + ((u >> 13) & 1)) & ~0x1FFFu);
}

namespace {

// Of the sums that are kept in registers; and as much of b as stays in a cache.
constexpr std::size_t kRows = 4, kColumns = 16, kDepth = 512;

using Eight = float __attribute__((vector_size(32)));
using Row = std::array<Eight, kColumns / 8>;

}  // namespace

void add_product(float* c, Strided a, Strided b, ProductSize size) {
  std::vector<Row> slab(kDepth);
  for (std::size_t first = 0; first < size.depth; first += kDepth) {
    const std::size_t depth = std::min(kDepth, size.depth - first);
    for (std::size_t j = 0; j < size.columns; j += kColumns) {
      const std::size_t columns = std::min(kColumns, size.columns - j);
      for (std::size_t k = 0; k < depth; ++k) {
        for (std::size_t v = 0; v < columns; ++v) slab[k][v / 8][v % 8] = *b.at(first + k, j + v);
      }
      for (std::size_t i = 0; i < size.rows; i += kRows) {
        const std::size_t rows = std::min(kRows, size.rows - i);
        const auto place = [&](std::size_t u) { return c + (i + u) * size.columns + j; };
        std::array<Row, kRows> sums{};
        for (std::size_t u = 0; u < rows; ++u) {
          std::memcpy(&sums[u], place(u), columns * sizeof(float));
        }
        std::array<const float*, kRows> from{};
        for (std::size_t u = 0; u < kRows; ++u) from[u] = a.at(i + std::min(u, rows - 1), first);
        for (std::size_t k = 0; k < depth; ++k) {
          for (std::size_t u = 0; u < kRows; ++u) {
            const float factor = from[u][std::ptrdiff_t(k) * a.column];
            for (std::size_t v = 0; v < kColumns / 8; ++v) sums[u][v] += factor * slab[k][v];
          }
        }
        for (std::size_t u = 0; u < rows; ++u) {
          std::memcpy(place(u), &sums[u], columns * sizeof(float));
        }
      }
    }
  }
}

}  // namespace easgd::fake_cuda

const char* cublasLtGetStatusString(cublasStatus_t) {
  return reason;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(new char);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete reinterpret_cast<char*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description,
                                        cublasComputeType_t products, cudaDataType_t scale) {
  if (scale != CUDA_R_32F ||
      (products != CUBLAS_COMPUTE_32F && products != CUBLAS_COMPUTE_32F_FAST_TF32)) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "another arithmetic than 32F and 32F_FAST_TF32");
  }
  *description = reinterpret_cast<cublasLtMatmulDesc_t>(new Description{.products = products});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete &real(description);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  const bool is_a = attribute == CUBLASLT_MATMUL_DESC_TRANSA;
  if (!is_a && attribute != CUBLASLT_MATMUL_DESC_TRANSB) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "an attribute of a product that is not known here");
  }
  return set(is_a ? real(description).transposed_a : real(description).transposed_b, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading) {
  if (type != CUDA_R_32F && type != CUDA_R_16BF) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "neither floats nor bf16");
  }
  if (rows == 0 || columns == 0 || leading < std::int64_t(rows)) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "an empty matrix, or columns that overlap");
  }
  *layout = reinterpret_cast<cublasLtMatrixLayout_t>(
      new Layout{type, rows, columns, std::size_t(leading)});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete &real(layout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete &real(preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  Preference& wanted = real(preference);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return set(wanted.workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return set(wanted.alignment[0], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return set(wanted.alignment[1], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return set(wanted.alignment[2], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return set(wanted.alignment[3], value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return set(wanted.reductions, value, bytes);
    default:
      return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "a preference that is not known here");
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* found) {
  *found = 0;
  if (wanted < 1) return refuse(CUBLAS_STATUS_INVALID_VALUE, "no place for a result");
  const cublasStatus_t answer = examine(real(description), real(a), real(b), real(c), real(d));
  if (answer != CUBLAS_STATUS_SUCCESS) return answer;
  const Preference& limits = real(preference);
  if (limits.workspace < kWorkspace) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "too small a workspace");
  }
  // cuBLASLt would not mind, but the program has promised to add up in float32.
  if (limits.reductions & ~std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}) {
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "sums of parts may be rounded");
  }
  Algorithm algorithm{.mark = kMark, .alignment = {}};
  std::ranges::copy(limits.alignment, algorithm.alignment);
  results[0] = {};
  static_assert(sizeof algorithm <= sizeof results[0].algo);
  std::memcpy(&results[0].algo, &algorithm, sizeof algorithm);
  results[0].workspaceSize = kWorkspace;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* chosen,
                              void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  const Description how = real(description);
  const Layout la = real(a_layout), lb = real(b_layout), ld = real(d_layout);
  const cublasStatus_t answer = examine(how, la, lb, real(c_layout), ld);
  if (answer != CUBLAS_STATUS_SUCCESS) return answer;
  Algorithm algorithm;
  std::memcpy(&algorithm, chosen, sizeof algorithm);
  if (algorithm.mark != kMark || !workspace || workspace_bytes < kWorkspace) {
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "no algorithm, or no workspace for it");
  }
  const void* places[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) {
    if (!places[i] || !is_aligned(places[i], algorithm.alignment[i])) {
      return refuse(CUBLAS_STATUS_INVALID_VALUE, "a matrix that is not aligned as was promised");
    }
  }
  const float of_product = *static_cast<const float*>(alpha);
  const float of_before = *static_cast<const float*>(beta);
  easgd::fake_cuda::enqueue(stream, [=] {
    std::memset(workspace, 0xFF, kWorkspace);
    const bool rounded = how.products == CUBLAS_COMPUTE_32F_FAST_TF32;
    const std::vector<float> va = read(la, a, rounded), vb = read(lb, b, rounded);
    // By row, it is the transposed product of both transposed.
    const auto by_row = [](const std::vector<float>& values, const Layout& layout,
                           std::int32_t operation) {
      const std::ptrdiff_t step = std::ptrdiff_t(layout.rows);
      return operation == CUBLAS_OP_T ? easgd::fake_cuda::Strided{values.data(), 1, step}
                                      : easgd::fake_cuda::Strided{values.data(), step, 1};
    };
    std::vector<float> product(ld.rows * ld.columns);
    add_product(product.data(), by_row(vb, lb, how.transposed_b), by_row(va, la, how.transposed_a),
                {ld.columns, ld.rows, how.transposed_a == CUBLAS_OP_T ? la.rows : la.columns});
    for (float& value : product) value *= of_product;
    if (of_before != 0) {
      const std::vector<float> before = read(ld, c, false);
      for (std::size_t i = 0; i < product.size(); ++i) product[i] += of_before * before[i];
    }
    for (std::size_t j = 0; j < ld.columns; ++j) {
      for (std::size_t i = 0; i < ld.rows; ++i) {
        const float value = product[j * ld.rows + i];
        const std::size_t at = j * ld.leading + i;
        if (ld.type == CUDA_R_16BF) {
          static_cast<Bf16*>(d)[at] = Bf16(value);
        } else {
          static_cast<float*>(d)[at] = value;
        }
      }
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}
