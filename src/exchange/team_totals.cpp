#include "exchange/team_totals.h"

namespace easgd {

TeamTotals totals_of(const Team& team) {
  TeamTotals totals;
  for (std::size_t i = 0; i < team.workers(); ++i) {
    const WorkerTelemetry& worker = team.telemetry(i);
    totals.steps.push_back(worker.clock);
    totals.all_steps += totals.steps.back();
    totals.exchanges += worker.exchanges;
    totals.refused += worker.refused;
    totals.data_seconds += worker.data_seconds;
    totals.exchange_seconds += worker.exchange_seconds;
    totals.run_seconds += worker.run_seconds;
  }
  return totals;
}

}  // namespace easgd
