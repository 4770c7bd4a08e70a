#include "base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <initializer_list>

#include "base/error.h"
#include "base/start_thread.h"
#include "base/terminal.h"
#include "base/trace.h"

namespace easgd {
namespace {

using Clock = std::chrono::steady_clock;

/// `timeout` and some terminals deliver one wish to end twice, microseconds apart.
constexpr auto kOneWish = std::chrono::seconds(1);

std::atomic<bool> caught{false}, asked{false};

/// Those signals that are not ignored.
sigset_t heard_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    struct sigaction inherited {};
    sigaction(number, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  return set;
}

/// What a signal does that nobody has blocked.
void obey(int number) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  raise(number);  // to this thread
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

void hear(const sigset_t& set) {
  name_thread("signals");
  Clock::time_point first;
  while (true) {
    int number = 0;
    if (sigwait(&set, &number) != 0) continue;
    if (!caught) {
      obey(number);
    } else if (!asked) {
      first = Clock::now();
      asked = true;
    } else if (number != SIGXCPU && Clock::now() - first >= kOneWish) {
      give_up_bottom_lines();
      _exit(int(ExitCode::abandoned));
    }
  }
}

}  // namespace

void hear_signals() {
  const sigset_t set = heard_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  start_thread("its signals", [set] { hear(set); }).detach();
}

void catch_interrupts() {
  signal(SIGPIPE, SIG_IGN);
  asked = false;
  caught = true;
}

bool interrupted() {
  return asked;
}

}  // namespace easgd
