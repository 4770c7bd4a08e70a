// Time that does not go on while the process is stopped.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace easgd {

/// What the watch saw of one of its naps.
struct Nap {
  std::chrono::nanoseconds planned, slept;
  std::chrono::nanoseconds without_core;  ///< for which it was ready to run and had no core
};

/// The part of a nap for which the process was stopped: all of its lateness, if that is more than a
/// busy machine causes and its thread did not spend it waiting for a core.
std::chrono::nanoseconds stopped_during(const Nap& nap);

/// std::chrono::steady_clock, less the time for which a PauseWatch saw the process stopped.
/// Thread: any.
struct RunningClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<RunningClock>;
  static constexpr bool is_steady = true;

  /// If the watch has not looked for long, waits a moment for it to say why.
  static time_point now() noexcept;
};

/// While one lives, the process's pauses do not count: Ctrl-Z, SIGSTOP, a frozen container. A
/// thread of its own naps again and again; if it wakes far too late and did not wait for a core
/// meanwhile, no thread of the process ran. There is one watch at a time.
class PauseWatch {
 public:
  /// Throws: DeviceError if the system has no thread left.
  PauseWatch();
  ~PauseWatch();
  PauseWatch(const PauseWatch&) = delete;

 private:
  void watch();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace easgd
