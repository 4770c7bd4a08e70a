#include "backend/cuda/cuda_backend.h"

#include <fmt/format.h>

#include <numeric>
#include <optional>

#include "backend/cuda/current_device.h"
#include "backend/cuda/device_list.h"
#include "backend/cuda/device_locks.h"
#include "backend/cuda/input.h"
#include "base/error.h"
#include "kernels/launch.h"

namespace easgd::cuda {
namespace {

// So many threads sum up a squared distance, and so many add up their sums.
constexpr std::size_t kParts = 65536, kSums = 256;

/// The stream of a backend, on its device.
Stream make_compute_stream(const BackendOptions& options) {
  const int index = options.index;
  if (const int count = count_devices(); index >= count) {
    throw DeviceError(
        fmt::format("cuda:{}: no CUDA device of this number; there are {}, from 0", index, count));
  }
  set_device(index);
  return make_stream(options.urgent ? "center" : "compute", options.urgent);
}

}  // namespace

CudaBackend::CudaBackend(const BackendOptions& options)
    : index_(options.index), compute_(make_compute_stream(options)), letters_(compute_) {}

CudaBackend::~CudaBackend() {
  // What is in flight still reads and writes what is about to be freed.
  cudaStreamSynchronize(compute_);
}

Buffer CudaBackend::allocate(std::size_t count) {
  const DeviceGuard guard(index_);
  return device_buffer(count);
}

Buffer CudaBackend::allocate_mailbox(std::size_t count) {
  const DeviceGuard guard(index_);
  return pinned_buffer(count);
}

std::string CudaBackend::device() const {
  return fmt::format("cuda:{}", index_);
}

bool CudaBackend::can_hold(std::size_t bytes) const {
  return has_room_for_set(bytes, free_memory(index_));
}

void CudaBackend::upload(ConstView host, View device) {
  check_same_size(host, device);
  const DeviceGuard guard(index_);
  copy(host.data(), device.data(), host.size_bytes(), compute_);
  check(cudaStreamSynchronize(compute_), "upload");
}

void CudaBackend::download(ConstView device, View host) {
  check_same_size(device, host);
  const DeviceGuard guard(index_);
  copy(device.data(), host.data(), device.size_bytes(), compute_);
  check(cudaStreamSynchronize(compute_), "download");
}

void CudaBackend::run(const kernels::Elementwise& kernel, std::size_t count) {
  const DeviceGuard guard(index_);
  std::optional<DeviceSyncLock> lock;  // the first launch loads the kernel
  if (!loaded_[kernel.index()]) lock.emplace();
  loaded_.set(kernel.index());
  try {
    kernels::launch(kernel, count, compute_);
  } catch (const std::exception& e) {
    throw DeviceError(fmt::format("{}: an elementwise kernel: {}", device(), e.what()));
  }
}

void CudaBackend::start_download(ConstView device, View mailbox) {
  check_same_size(device, mailbox);
  const DeviceGuard guard(index_);
  copy(device.data(), mailbox.data(), device.size_bytes(), compute_);
}

void CudaBackend::start_distance(ConstView x, ConstView c) {
  const DeviceGuard guard(index_);
  if (sums_.size() == 0) {
    sums_ = DeviceArray<double>(kParts + kSums);
    last_sums_ = PinnedArray<double>(kSums);
  }
  double *parts = sums_.data(), *sums = parts + kParts;
  run(
      kernels::SquaredDistance{
          .sums = parts, .x = x.data(), .c = c.data(), .count = x.size(), .parts = kParts},
      kParts);
  run(kernels::AddNeighbours{.sums = sums, .from = parts, .each = kParts / kSums}, kSums);
  copy(sums, last_sums_.data(), last_sums_.bytes(), compute_);
}

double CudaBackend::squared_distance() {
  const DeviceGuard guard(index_);
  check(cudaStreamSynchronize(compute_), "a squared distance");
  return std::accumulate(last_sums_.data(), last_sums_.data() + kSums, 0.0);
}

void CudaBackend::finish() {
  const DeviceGuard guard(index_);
  // Both are waited for, also if one fails: what is in flight uses memory that may be freed next.
  const cudaError_t computed = cudaStreamSynchronize(compute_), sent = letters_.wait();
  check(computed, "compute stream");
  check(sent, "transfer stream");
  letters_.measure_pauses();
}

}  // namespace easgd::cuda
