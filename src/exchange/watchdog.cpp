#include "exchange/watchdog.h"

#include <fmt/format.h>

namespace easgd {

std::vector<std::string> Watchdog::look(const Team& team) {
  std::vector<std::string> lines;
  seen_.resize(team.workers());
  const Clock::time_point now = Clock::now();
  for (std::size_t i = 0; i < team.workers(); ++i) {
    Seen& seen = seen_[i];
    const std::uint64_t clock = team.telemetry(i).clock;
    const Phase phase = team.telemetry(i).phase;
    if (clock != seen.clock || phase != seen.phase || phase == Phase::ended) {
      seen = {clock, phase, now, false};
    } else if (!seen.reported && now - seen.since >= patience_) {
      seen.reported = true;
      lines.push_back(fmt::format("worker {} has been in \"{}\" of step {} for {} s", i,
                                  to_string(phase), clock, patience_.count()));
    }
  }
  return lines;
}

}  // namespace easgd
