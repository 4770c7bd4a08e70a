#include "backend/cuda/check.h"

#include <fmt/format.h>

#include <string>

#include "base/error.h"

namespace easgd::cuda {
namespace {

[[noreturn]] void fail(const char* call, const std::string& answer) {
  int device = 0;
  cudaGetDevice(&device);
  throw DeviceError(fmt::format("cuda:{}: {}: {}", device, call, answer));
}

}  // namespace

void check(cudaError_t answer, const char* call) {
  if (answer == cudaSuccess) return;
  cudaGetLastError();  // an error that can be mended is not to be met again by the next call
  fail(call, cudaGetErrorString(answer));
}

void check(cudnnStatus_t answer, const char* call) {
  if (answer == CUDNN_STATUS_SUCCESS) return;
  char why[256] = "";
  cudnnGetLastErrorString(why, sizeof why);
  fail(call, fmt::format("{}{}{}", cudnnGetErrorString(answer), *why ? ": " : "", why));
}

void check(cublasStatus_t answer, const char* call) {
  if (answer != CUBLAS_STATUS_SUCCESS) fail(call, cublasLtGetStatusString(answer));
}

}  // namespace easgd::cuda
