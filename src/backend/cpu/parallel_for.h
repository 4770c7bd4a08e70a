// How our own loops share work among the OpenMP threads of the calling thread, on which oneDNN runs
// too. Shares are static, so that equally many threads compute equal bits.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>

namespace easgd::cpu {

/// Gives the calling thread `threads` OpenMP threads, itself included. oneDNN makes its plans for
/// so many; if one is missing it computes wrong numbers, or waits for ever.
/// Throws: DeviceError if OpenMP gives another number.
void start_threads(int threads);

/// The most that `start_threads` can be asked for, the limit being the user's: OMP_THREAD_LIMIT.
int most_threads();

/// Below this many elements of a pass over memory (0.2 ms on one AVX2 core) the other threads are
/// left asleep: they would save little, and where cores are shared with other processes a barrier
/// can cost milliseconds.
constexpr std::size_t kWorthThreads = 1 << 19;

/// Calls f(begin, end) for one share of [0, count) on each thread; shares but the last are whole
/// cache lines of floats.
template <class Function>
void parallel_for_ranges(std::size_t count, const Function& f) {
  if (count < kWorthThreads || omp_get_max_threads() == 1) return f(std::size_t{0}, count);
#pragma omp parallel
  {
    const std::size_t lines = (count + 15) / 16, threads = std::size_t(omp_get_num_threads());
    const std::size_t rank = std::size_t(omp_get_thread_num());
    const std::size_t begin = std::min(count, lines * rank / threads * 16);
    const std::size_t end = std::min(count, lines * (rank + 1) / threads * 16);
    if (begin < end) f(begin, end);
  }
}

/// Calls f(i) for every i in [0, count), each thread a contiguous range of them. `work` is what
/// there is to do in all, in elements of a pass over memory.
template <class Function>
void parallel_for(std::size_t count, std::size_t work, const Function& f) {
  if (work < kWorthThreads || omp_get_max_threads() == 1) {
    for (std::size_t i = 0; i < count; ++i) f(i);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < count; ++i) f(i);
}

}  // namespace easgd::cpu
