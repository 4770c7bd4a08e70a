// What a machine can do at most: a dense product of float32 by oneDNN, and the bandwidth of memory by a triad,
// a = b + s c. Prints a JSON object: how many cores there are to use, and of one and of all of them GFLOP/s and GB/s, the
// best of many tries.
#include <fmt/format.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "base/usable_cores.h"

namespace {

/// Of the best try within a second.
double least_seconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(1);
  double least = 1e9;
  while (Clock::now() < end) {
    const auto start = Clock::now();
    work();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return least;
}

double product_gflops() {
  constexpr dnnl_dim_t kSide = 1536;
  std::vector<float> a(kSide * kSide, 0.5f), b(kSide * kSide, 0.25f), c(kSide * kSide);
  const double seconds = least_seconds([&] {
    dnnl_sgemm('N', 'N', kSide, kSide, kSide, 1, a.data(), kSide, b.data(), kSide, 0, c.data(),
               kSide);
  });
  return 2.0 * kSide * kSide * kSide / seconds / 1e9;
}

/// Bytes read and written; the line that a store reads first is not counted.
double triad_gigabytes() {
  constexpr std::ptrdiff_t kCount = std::ptrdiff_t{1} << 25;  // 128 MiB each
  std::vector<float> a(kCount), b(kCount, 1), c(kCount, 2);
  const double seconds = least_seconds([&] {
#pragma omp parallel for simd
    for (std::ptrdiff_t i = 0; i < kCount; ++i)
      a[std::size_t(i)] = b[std::size_t(i)] + 3 * c[std::size_t(i)];
  });
  return 3.0 * kCount * sizeof(float) / seconds / 1e9;
}

}  // namespace

int main() {
  const int cores = int(easgd::usable_cores());
  fmt::print("{{\"cores\": {}", cores);
  for (const auto& [name, threads] : {std::pair("one", 1), std::pair("all", cores)}) {
    omp_set_num_threads(threads);
    fmt::print(", \"{}\": {{\"gflops\": {:.1f}, \"gbytes\": {:.1f}}}", name, product_gflops(),
               triad_gigabytes());
  }
  fmt::print("}}\n");
}
