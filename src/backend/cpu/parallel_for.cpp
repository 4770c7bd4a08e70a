#include "backend/cpu/parallel_for.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/startable_threads.h"

namespace easgd::cpu {

int most_threads() {
  return omp_get_thread_limit();
}

void start_threads(int threads) {
  omp_set_dynamic(0);                                                 // OMP_DYNAMIC
  if (omp_get_max_active_levels() < 1) omp_set_max_active_levels(1);  // OMP_MAX_ACTIVE_LEVELS
  omp_set_num_threads(threads);
  if (threads == 1) return;
  const std::size_t others = std::size_t(threads) - 1;
  if (const std::size_t found = startable_threads(others); found < others) {  // OpenMP would end us
    throw DeviceError(fmt::format(
        "cpu: the system lets this process have {} of {} more threads (`ulimit -u`, a container's "
        "limit on pids)",
        found, others));
  }
  int came = 0;
#pragma omp parallel
#pragma omp master
  came = omp_get_num_threads();
  if (came == threads) return;
  throw DeviceError(
      fmt::format("cpu: OpenMP gives {} of {} threads; take away the settings that "
                  "limit it, as OMP_THREAD_LIMIT",
                  came, threads));
}

}  // namespace easgd::cpu
