#include "backend/cuda/stream.h"

#include <nvtx3/nvToolsExtCudaRt.h>

#include <algorithm>

#include "backend/cuda/current_device.h"
#include "backend/cuda/device_locks.h"

namespace easgd::cuda {

namespace {

/// So much memory for floats, not zeroed.
template <auto Allocate, auto Free, class... Options>
Buffer allocate(std::size_t count, const char* call, Options... options) {
  void* data = nullptr;
  const int device = current_device();
  const DeviceSyncLock lock(device);
  check(Allocate(&data, count * sizeof(float), options...), call);
  return {static_cast<float*>(data), count, [device](float* p) {
            const DeviceSyncLock lock(device);
            Free(p);
          }};
}

}  // namespace

Stream make_stream(const char* name, bool urgent) {
  int usual = 0, first = 0;
  check(cudaDeviceGetStreamPriorityRange(&usual, &first), "cudaDeviceGetStreamPriorityRange");
  Stream stream;
  check(cudaStreamCreateWithPriority(stream.put(), cudaStreamNonBlocking, urgent ? first : usual),
        "cudaStreamCreate");
  nvtxNameCudaStreamA(stream, name);
  return stream;
}

Event make_event() {
  Event event;
  check(cudaEventCreateWithFlags(event.put(), cudaEventDisableTiming), "cudaEventCreate");
  return event;
}

Event make_timed_event() {
  Event event;
  check(cudaEventCreateWithFlags(event.put(), cudaEventDefault), "cudaEventCreate");
  return event;
}

Buffer device_buffer(std::size_t count) {
  if (count == 0) return {};
  Buffer buffer = allocate<cudaMalloc, cudaFree>(count, "cudaMalloc");
  // Not with the whole device, which may be recording a graph for another thread.
  check(cudaMemsetAsync(buffer.data(), 0, count * sizeof(float), cudaStreamPerThread),
        "cudaMemsetAsync");
  check(cudaStreamSynchronize(cudaStreamPerThread), "cudaMemsetAsync");
  return buffer;
}

Buffer pinned_buffer(std::size_t count) {
  if (count == 0) return {};
  Buffer buffer =
      allocate<cudaHostAlloc, cudaFreeHost>(count, "cudaHostAlloc", cudaHostAllocPortable);
  std::ranges::fill(buffer.view(), 0.0f);
  return buffer;
}

void copy(const void* from, void* to, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync");
}

}  // namespace easgd::cuda
