#include "backend/cuda/cuda_backend.h"

#include <fmt/format.h>

#include <numeric>
#include <optional>

#include "backend/cuda/device_list.h"
#include "backend/cuda/input.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {
namespace {

// Of a squared distance: so many threads sum it up, and each of the second so many of their sums.
constexpr std::size_t kParts = 65536, kSums = 256;

/// The stream of a backend, on its device.
Stream make_compute_stream(const BackendOptions& options) {
  const int index = options.index;
  if (const int count = count_devices(); index >= count) {
    throw DeviceError(
        fmt::format("cuda:{}: no CUDA device of this number; there are {}, from 0", index, count));
  }
  check(cudaSetDevice(index), "cudaSetDevice");
  return make_stream(options.urgent ? "center" : "compute", options.urgent);
}

}  // namespace

CudaBackend::CudaBackend(const BackendOptions& options)
    : index_(options.index), compute_(make_compute_stream(options)), letters_(compute_) {}

CudaBackend::~CudaBackend() {
  // What is in flight still reads and writes what is about to be freed.
  cudaStreamSynchronize(compute_);
}

std::string CudaBackend::device() const {
  return fmt::format("cuda:{}", index_);
}

bool CudaBackend::can_hold(std::size_t bytes) const {
  return cuda::can_hold(bytes);
}

void CudaBackend::upload(ConstView host, View device) {
  copy(host.data(), device.data(), host.size_bytes(), compute_);
  check(cudaStreamSynchronize(compute_), "upload");
}

void CudaBackend::download(ConstView device, View host) {
  copy(device.data(), host.data(), device.size_bytes(), compute_);
  check(cudaStreamSynchronize(compute_), "download");
}

void CudaBackend::run(const kernels::Elementwise& kernel, std::size_t count) {
  enter();
  std::optional<Alone> alone;
  if (!loaded_[kernel.index()]) alone.emplace();
  loaded_.set(kernel.index());
  try {
    kernels::launch(kernel, count, compute_);
  } catch (const std::exception& e) {
    throw DeviceError(fmt::format("{}: an elementwise kernel: {}", device(), e.what()));
  }
}

void CudaBackend::start_download(ConstView device, View mailbox) {
  copy(device.data(), mailbox.data(), device.size_bytes(), compute_);
}

void CudaBackend::start_distance(ConstView x, ConstView c) {
  if (sums_.size() == 0) {
    sums_ = allocate(2 * (kParts + kSums));
    last_sums_ = allocate_mailbox(2 * kSums);
  }
  auto *parts = reinterpret_cast<double*>(sums_.data()), *sums = parts + kParts;
  run(kernels::SquaredDistance{parts, x.data(), c.data(), x.size(), kParts}, kParts);
  run(kernels::AddNeighbours{sums, parts, kParts / kSums}, kSums);
  copy(sums, last_sums_.data(), kSums * sizeof(double), compute_);
}

double CudaBackend::squared_distance() {
  check(cudaStreamSynchronize(compute_), "a squared distance");
  const auto* sums = reinterpret_cast<const double*>(last_sums_.data());
  return std::accumulate(sums, sums + kSums, 0.0);
}

void CudaBackend::finish() {
  check(cudaStreamSynchronize(compute_), "compute stream");
  letters_.finish();
  letters_.measure_pauses();
}

}  // namespace easgd::cuda
