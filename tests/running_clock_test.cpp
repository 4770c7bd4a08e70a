// Which lateness of a nap is a pause of the process? No case waits.

#include "base/running_clock.h"

#include <doctest/doctest.h>

using namespace easgd;
using namespace std::chrono_literals;

TEST_CASE("a nap that ends a little late is no pause") {
  CHECK(stopped_during({.planned = 50ms, .slept = 50ms, .without_core = 0ms}) == 0ms);
  CHECK(stopped_during({.planned = 50ms, .slept = 40ms, .without_core = 0ms}) == 0ms);
  CHECK(stopped_during({.planned = 50ms, .slept = 300ms, .without_core = 0ms}) == 0ms);
}

TEST_CASE("a nap that ends far too late is a pause, all of its lateness") {
  CHECK(stopped_during({.planned = 50ms, .slept = 301ms, .without_core = 0ms}) == 251ms);
  CHECK(stopped_during({.planned = 50ms, .slept = 1h, .without_core = 10ms}) == 1h - 50ms);
}

TEST_CASE("waiting for a core is no pause") {
  CHECK(stopped_during({.planned = 50ms, .slept = 1050ms, .without_core = 900ms}) == 0ms);
  CHECK(stopped_during({.planned = 50ms, .slept = 1050ms, .without_core = 500ms}) == 0ms);
  CHECK(stopped_during({.planned = 50ms, .slept = 1050ms, .without_core = 499ms}) == 1000ms);
}
