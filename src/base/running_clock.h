// Time that does not go on while the process is stopped.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace easgd {

/// std::chrono::steady_clock, less the time for which a PauseWatch saw the process stopped.
/// Thread: any.
struct RunningClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<RunningClock>;
  static constexpr bool is_steady = true;

  /// Where the watch has not looked for long, waits a moment for it to say why.
  static time_point now() noexcept;
};

/// While one lives, the process's pauses do not count: Ctrl-Z, SIGSTOP, a frozen container. A thread
/// of its own sleeps again and again; where it wakes far too late and did not wait for a core
/// meanwhile, nobody ran. One at a time.
class PauseWatch {
 public:
  /// Throws: DeviceError where the system has no thread left.
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
