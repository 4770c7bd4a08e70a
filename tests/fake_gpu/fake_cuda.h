// A CUDA device that is none: streams are threads, events are flags, device memory is host memory,
// and every piece of work takes a random while. What is ordered by a stream or an event alone is
// ordered by nothing else here, so the thread sanitizer sees a missing event as the race that it
// would be. What CUDA would refuse (work on a stream of another device than the current one, an
// event of another device, a wait in a record) ends the program.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace easgd::fake_cuda {

/// As the next work of `stream`. From the thread that owns the stream.
void enqueue(cudaStream_t stream, std::function<void()> work);

/// As work of `stream`: from then on the device of the thread that made the stream answers
/// everything with an error, does no more work and calls nobody.
void break_device(cudaStream_t stream);

/// The same, once this thread adds up over devices.
void break_device_in_sum(cudaStream_t stream);

/// This thread's next wait for the stream ends with an error, once its work is done.
void fail_next_wait(cudaStream_t stream);

/// From now on the device that memory is made on is known: of an address, or -1 for the host's.
void watch_memory();
int owner_of(const void* address);

/// While held, no copy begins.
void hold_copies(bool held);

/// What the thread's streams record next is ruined, so many times.
void ruin_records(int count);

/// Pieces of memory, of devices and pinned, that have not been given back.
int allocated();
/// Streams that were made to go before others.
int urgent_streams();

/// How many there are.
void set_devices(int count);
/// From now on `from` is told that it may not access `to`, or copies between the two lose a bit.
void deny_peer(int from, int to);
void spoil_path(int from, int to);
/// From now on sums over devices are wrong on the last.
void spoil_sums();
/// Undoes these four, and watch_memory.
void mend();

/// How many calls that may wait for a whole device have come while a sum was being started.
int waits_while_sums_start();

/// Convolutions by the engine of this number take so much longer.
void slow_down(int engine, double seconds);
/// Convolutions by it are said to want so many bytes of workspace.
void want_workspace(int engine, std::int64_t bytes);
/// Convolutions by it can be planned, and do not run.
void spoil(int engine, bool spoilt);

/// A matrix as it lies: how far apart its rows are, and its columns.
struct Strided {
  const float* data;
  std::ptrdiff_t row, column;

  const float* at(std::size_t i, std::size_t j) const {
    return data + std::ptrdiff_t(i) * row + std::ptrdiff_t(j) * column;
  }
};
struct ProductSize {
  std::size_t rows, columns, depth;
};

/// c [rows][columns] += a b. Each sum is taken in order of depth.
void add_product(float* c, Strided a, Strided b, ProductSize size);

/// To 10 bits after the point, as tensor cores take floats.
float to_tf32(float value);

}  // namespace easgd::fake_cuda
