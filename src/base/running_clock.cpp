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
constexpr nanoseconds kReread = milliseconds(5);  // between two looks of a reader
constexpr int kPatience = 20;                     // looks of a reader

std::atomic<std::int64_t> stopped{0};    // nanoseconds in all
std::atomic<std::int64_t> last_look{0};  // of steady_clock; 0: nobody watches

std::int64_t steady() {
  return nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// For which the calling thread was ready to run and had no core; 0 if the kernel does not say.
nanoseconds time_without_core() {
  std::int64_t on_core = 0, waited = 0;
  std::ifstream("/proc/thread-self/schedstat") >> on_core >> waited;
  return nanoseconds(waited);
}

}  // namespace

nanoseconds stopped_during(const Nap& nap) {
  const nanoseconds late = nap.slept - nap.planned;
  return late > kLate && nap.without_core < late / 2 ? late : nanoseconds(0);
}

RunningClock::time_point RunningClock::now() noexcept {
  for (int look = 0;; ++look) {
    // In this order, which shows a pause that the watch adds between two of them.
    const std::int64_t before = stopped.load(), now = steady(), seen = last_look.load();
    const bool fresh = seen == 0 || now - seen < kLate.count() || look == kPatience;
    if (fresh && stopped.load() == before) return time_point(nanoseconds(now - before));
    if (!fresh) std::this_thread::sleep_for(kReread);
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
    const nanoseconds without_core = time_without_core();
    const std::int64_t begin = steady();
    last_look = begin;
    changed_.wait_for(lock, kNap, [this] { return ending_; });
    const nanoseconds slept(steady() - begin);
    stopped += stopped_during({kNap, slept, time_without_core() - without_core}).count();
  }
}

}  // namespace easgd
