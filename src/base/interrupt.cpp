#include "base/interrupt.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "base/error.h"

namespace easgd {
namespace {

/// `timeout` and some terminals deliver one wish to end twice, microseconds apart.
constexpr std::int64_t kOneWish = 1'000'000'000;  // nanoseconds

std::atomic<std::int64_t> first{0};  // of the monotonic clock; 0: no signal yet
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

extern "C" void on_signal(int) {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  const std::int64_t now = t.tv_sec * 1'000'000'000LL + t.tv_nsec;
  std::int64_t before = 0;
  if (first.compare_exchange_strong(before, now)) return;
  if (now - before >= kOneWish) _exit(int(ExitCode::abandoned));
}

}  // namespace

void catch_interrupts() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};
    sigaction(number, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) signal(number, on_signal);
  }
  signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
  return first != 0;
}

}  // namespace easgd
