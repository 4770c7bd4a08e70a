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
  /// In seconds.
  explicit Watchdog(double patience = 120) : patience_(patience) {}

  /// A worker that has not moved for as long as patience lasts.
  struct Stall {
    std::size_t worker = 0;
    const WorkerTelemetry* life = nullptr;
    std::string text = {};  ///< what it was doing, for people
    bool is_new = false;    ///< it was none when it was looked at last
  };
  /// To be called often.
  std::vector<Stall> look(const Team& team);
  /// Patience with a worker begins anew.
  void begin_anew(std::size_t worker) {
    if (worker < seen_.size()) seen_[worker].since = Clock::now();
  }

 private:
  using Clock = RunningClock;
  struct Seen {
    const WorkerTelemetry* life = nullptr;  // each has its own
    std::uint64_t clock = 0;
    Phase phase = Phase::preparing;
    Clock::time_point since = Clock::now();
    bool reported = false;
  };

  std::chrono::duration<double> patience_;
  std::vector<Seen> seen_;
};

}  // namespace easgd
