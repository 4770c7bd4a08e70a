#include "backend/cpu/team.h"

#include <fmt/format.h>

#include "backend/cpu/largest_team.h"
#include "base/error.h"

namespace easgd::cpu {

int largest_team() {
  return omp_get_thread_limit();
}

void start_team(int threads) {
  omp_set_dynamic(0);                                                 // OMP_DYNAMIC
  if (omp_get_max_active_levels() < 1) omp_set_max_active_levels(1);  // OMP_MAX_ACTIVE_LEVELS
  omp_set_num_threads(threads);
  if (threads == 1) return;
  int came = 0;
#pragma omp parallel
#pragma omp master
  came = omp_get_num_threads();
  if (came == threads) return;
  throw DeviceError(fmt::format(
      "cpu: OpenMP gives {} of {} threads; use workers.threads={} and evaluate.threads={}", came,
      threads, came, came));
}

}  // namespace easgd::cpu
