#include "backend/cuda/stream.h"

#include <nvtx3/nvToolsExtCudaRt.h>

#include <algorithm>

namespace easgd::cuda {

Stream make_stream(const char* name) {
  Stream stream;
  check(cudaStreamCreateWithFlags(stream.place(), cudaStreamNonBlocking), "cudaStreamCreate");
  nvtxNameCudaStreamA(stream, name);
  return stream;
}

Event make_event() {
  Event event;
  check(cudaEventCreateWithFlags(event.place(), cudaEventDisableTiming), "cudaEventCreate");
  return event;
}

Event make_timed_event() {
  Event event;
  check(cudaEventCreateWithFlags(event.place(), cudaEventDefault), "cudaEventCreate");
  return event;
}

Buffer device_buffer(std::size_t count) {
  if (count == 0) return {};
  void* data = nullptr;
  check(cudaMalloc(&data, count * sizeof(float)), "cudaMalloc");
  Buffer buffer(static_cast<float*>(data), count, [](float* p) { cudaFree(p); });
  // Not with the whole device, which may be recording a graph for another thread.
  check(cudaMemsetAsync(data, 0, count * sizeof(float), cudaStreamPerThread), "cudaMemsetAsync");
  check(cudaStreamSynchronize(cudaStreamPerThread), "cudaMemsetAsync");
  return buffer;
}

Buffer pinned_buffer(std::size_t count) {
  if (count == 0) return {};
  void* data = nullptr;
  check(cudaHostAlloc(&data, count * sizeof(float), cudaHostAllocPortable), "cudaHostAlloc");
  Buffer buffer(static_cast<float*>(data), count, [](float* p) { cudaFreeHost(p); });
  std::ranges::fill(buffer.view(), 0.0f);
  return buffer;
}

void copy(const void* from, void* to, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync");
}

}  // namespace easgd::cuda
