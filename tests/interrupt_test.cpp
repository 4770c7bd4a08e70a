// The wish to end a run is that run's: the next one in the same process is not ended by it.
#include "base/interrupt.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

using namespace easgd;

namespace {

bool becomes_interrupted() {
  for (int i = 0; i < 10'000 && !interrupted(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return interrupted();
}

/// 0, or the number of the step that was not as it should be.
int try_two_runs() {
  hear_signals();
  catch_interrupts();
  if (interrupted()) return 1;
  kill(getpid(), SIGTERM);
  if (!becomes_interrupted()) return 2;
  catch_interrupts();
  if (interrupted()) return 3;
  kill(getpid(), SIGINT);
  if (!becomes_interrupted()) return 4;
  return 0;
}

}  // namespace

TEST_CASE("a signal ends one run of a process; the next begins without it and hears its own") {
  const pid_t child = fork();  // whose signals are not the tests'
  if (child == 0) _exit(try_two_runs());
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
