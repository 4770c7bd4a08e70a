// Streams, events and memory of the current device.
#pragma once

#include "backend/cuda/check.h"
#include "backend/cuda/handle.h"
#include "base/view.h"

namespace easgd::cuda {

using Stream = Handle<cudaStream_t, cudaStreamDestroy>;
using Event = Handle<cudaEvent_t, cudaEventDestroy>;

/// A stream that does not wait for the default stream; profilers show the name. Work that waits on
/// an urgent stream is started before work that waits on others.
Stream make_stream(const char* name, bool urgent = false);
/// An event that carries no time.
Event make_event();
/// An event that carries one.
Event make_timed_event();

/// Device memory, zeroed.
Buffer device_buffer(std::size_t count);
/// Page-locked host memory that every device can read and write, zeroed.
Buffer pinned_buffer(std::size_t count);

/// Copies between host and device, or within a device, as the next work of `stream`.
void copy(const void* from, void* to, std::size_t bytes, cudaStream_t stream);

}  // namespace easgd::cuda
