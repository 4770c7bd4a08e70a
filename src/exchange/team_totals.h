#pragma once

#include <cstdint>
#include <vector>

#include "exchange/team.h"

namespace easgd {

/// What all workers of a team have counted together (see WorkerTelemetry).
struct TeamTotals {
  std::vector<std::uint64_t> steps;  ///< of each worker
  std::uint64_t all_steps = 0;
  std::uint64_t exchanges = 0;
  std::uint64_t refused = 0;
  double data_seconds = 0;
  double exchange_seconds = 0;
  double run_seconds = 0;
};

/// Thread: any; the sums are those of the moment.
TeamTotals totals_of(const Team& team);

}  // namespace easgd
