#include "base/running_clock.h"

#include <atomic>
#include <fstream>

#include "base/start_thread.h"
#include "base/trace.h"

namespace easgd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds kNap = milliseconds(50);
constexpr nanoseconds kLate = milliseconds(250);  // a busy machine wakes a sleeper sooner than that
constexpr int kPatience = 20;                     // looks of a reader, 5 ms each

std::atomic<std::int64_t> stopped{0};    // nanoseconds in all
std::atomic<std::int64_t> last_look{0};  // of steady_clock; 0: nobody watches

std::int64_t steady() {
  return nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Nanoseconds for which the calling thread was ready to run and had no core; 0 where the kernel does
/// not say.
std::int64_t time_without_core() {
  std::int64_t on_core = 0, waited = 0;
  std::ifstream("/proc/thread-self/schedstat") >> on_core >> waited;
  return waited;
}

}  // namespace

RunningClock::time_point RunningClock::now() noexcept {
  for (int look = 0;; ++look) {
    // In this order: a pause that the watch has told of between two of them is seen.
    const std::int64_t before = stopped.load(), now = steady(), seen = last_look.load();
    const bool fresh = seen == 0 || now - seen < kLate.count() || look == kPatience;
    if (fresh && stopped.load() == before) return time_point(nanoseconds(now - before));
    if (!fresh) std::this_thread::sleep_for(milliseconds(5));
  }
}

PauseWatch::PauseWatch() {
  thread_ = start_thread("the clock", [this] { watch(); });
}

PauseWatch::~PauseWatch() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
  last_look = 0;
}

void PauseWatch::watch() {
  name_thread("clock");
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const std::int64_t without_core = time_without_core(), begin = steady();
    last_look = begin;
    changed_.wait_for(lock, kNap, [this] { return ending_; });
    const std::int64_t late = steady() - begin - kNap.count();
    if (late > kLate.count() && time_without_core() - without_core < late / 2) stopped += late;
  }
}

}  // namespace easgd
