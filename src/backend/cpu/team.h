// The calling thread's team of OpenMP threads: how our own loops share work. oneDNN runs on the
// same team. Shares are static, so that equal teams compute equal bits.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>

namespace easgd::cpu {

/// Gives the calling thread a team of `threads`, itself included. oneDNN makes its plans for so many,
/// and computes nothing, or waits for ever, in the place of one that does not come.
/// Throws: DeviceError where OpenMP gives another number.
void start_team(int threads);

/// Below this many elements of a pass over memory (0.2 ms on one AVX2 core) the team is left
/// asleep: it would save little, and where cores are shared with other threads its barrier can cost
/// milliseconds.
constexpr std::size_t kWorthATeam = 1 << 19;

/// Calls f(begin, end) for one share of [0, count) on each thread of the team; shares but the last
/// are whole cache lines of floats.
template <class Function>
void in_shares(std::size_t count, const Function& f) {
  if (count < kWorthATeam || omp_get_max_threads() == 1) return f(std::size_t{0}, count);
#pragma omp parallel
  {
    const std::size_t lines = (count + 15) / 16, team = std::size_t(omp_get_num_threads());
    const std::size_t rank = std::size_t(omp_get_thread_num());
    const std::size_t begin = std::min(count, lines * rank / team * 16);
    const std::size_t end = std::min(count, lines * (rank + 1) / team * 16);
    if (begin < end) f(begin, end);
  }
}

/// Calls f(i) for every i in [0, count), each thread a contiguous range of them. `work` is what
/// there is to do in all, in elements of a pass over memory.
template <class Function>
void for_each_share(std::size_t count, std::size_t work, const Function& f) {
  if (work < kWorthATeam || omp_get_max_threads() == 1) {
    for (std::size_t i = 0; i < count; ++i) f(i);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < count; ++i) f(i);
}

}  // namespace easgd::cpu
