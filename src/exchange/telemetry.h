// What threads let others see of themselves while they run. Written by one, read by anybody.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/running_clock.h"
#include "base/trace.h"

namespace easgd {

/// What a worker is doing, for the watchdog.
enum class Phase : int { preparing, data, gradient, exchange, ended };

inline const char* to_string(Phase phase) {
  constexpr const char* kNames[] = {"preparing", "data", "gradient", "exchange", "ended"};
  return kNames[static_cast<int>(phase)];
}

struct WorkerTelemetry {
  // Written by the worker.
  std::atomic<std::uint64_t> clock{0};  ///< steps taken
  std::atomic<Phase> phase{Phase::preparing};
  std::atomic<double> data_seconds{0};      ///< waiting for a batch
  std::atomic<double> gradient_seconds{0};  ///< gradient and step
  /// Posting letters and waiting for replies; on a GPU, for which its compute stream had no work
  /// because a reply was late.
  std::atomic<double> exchange_seconds{0};
  std::atomic<double> run_seconds{0};    ///< all of that and what is between
  std::atomic<double> learning_rate{0};  ///< of its last step
  // Written by the master.
  std::atomic<std::uint64_t> exchanges{0};
  std::atomic<std::uint64_t> absorbed{0};   ///< clock of its last letter in the center
  std::atomic<std::uint64_t> refused{0};    ///< letters that were not finite
  std::atomic<std::uint64_t> staleness{0};  ///< others' versions between its last two exchanges
  std::atomic<double> distance{
      0};  ///< ||x - center|| at its last exchange; of a change, its length
  /// Mean training loss of the steps of its last letter; not a number before the first.
  std::atomic<double> loss{std::numeric_limits<double>::quiet_NaN()};

  /// Counts on from what an earlier life of the worker has counted. Nobody else writes either.
  void count_on(const WorkerTelemetry& earlier) {
    clock = earlier.clock.load();
    data_seconds = earlier.data_seconds.load();
    gradient_seconds = earlier.gradient_seconds.load();
    exchange_seconds = earlier.exchange_seconds.load();
    run_seconds = earlier.run_seconds.load();
    learning_rate = earlier.learning_rate.load();
    exchanges = earlier.exchanges.load();
    absorbed = earlier.absorbed.load();
    refused = earlier.refused.load();
    staleness = earlier.staleness.load();
    distance = earlier.distance.load();
    loss = earlier.loss.load();
  }
};

/// Adds the time from its birth to its death to a telemetry counter that only this thread writes:
/// then, and in parts whenever it is asked to.
class Timed {
 public:
  using Clock = RunningClock;

  explicit Timed(std::atomic<double>& total) : total_(total), start_(Clock::now()) {}
  ~Timed() { count(); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

  void count() {
    const Clock::time_point now = Clock::now();
    const std::chrono::duration<double> spent = now - std::exchange(start_, now);
    total_.store(total_.load(std::memory_order_relaxed) + spent.count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<double>& total_;
  Clock::time_point start_;
};

/// The same, and profilers see its name.
class TimedScope {
 public:
  TimedScope(std::atomic<double>& total, const char* name) : range_(name), timed_(total) {}

 private:
  const TraceScope range_;
  const Timed timed_;
};

}  // namespace easgd
