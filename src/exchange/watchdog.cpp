#include "exchange/watchdog.h"

#include <fmt/format.h>

#include <utility>

namespace easgd {

std::vector<Watchdog::Stall> Watchdog::look(const Team& team) {
  std::vector<Stall> stalls;
  seen_.resize(team.workers());
  const Clock::time_point now = Clock::now();
  for (std::size_t i = 0; i < team.workers(); ++i) {
    Seen& seen = seen_[i];
    const WorkerTelemetry& life = team.telemetry(i);
    const std::uint64_t clock = life.clock;
    const Phase phase = life.phase;
    if (&life != seen.life || clock != seen.clock || phase != seen.phase || phase == Phase::ended) {
      seen = {&life, clock, phase, now, false};
    } else if (now - seen.since >= patience_) {
      stalls.push_back({.worker = i,
                        .life = &life,
                        .text = fmt::format("has been in \"{}\" of step {} for {:.3g} s",
                                            to_string(phase), clock, patience_.count()),
                        .is_new = !std::exchange(seen.reported, true)});
    }
  }
  return stalls;
}

}  // namespace easgd
