// Says which worker has not moved for a long time, and what it was doing.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/running_clock.h"
#include "exchange/team.h"

namespace easgd {

/// Thread: main.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::seconds patience = std::chrono::seconds(120))
      : patience_(patience) {}

  /// To be called often. A line for each worker that has newly run out of patience.
  std::vector<std::string> look(const Team& team);

 private:
  using Clock = RunningClock;
  struct Seen {
    std::uint64_t clock = 0;
    Phase phase = Phase::preparing;
    Clock::time_point since = Clock::now();
    bool reported = false;
  };

  std::chrono::seconds patience_;
  std::vector<Seen> seen_;
};

}  // namespace easgd
