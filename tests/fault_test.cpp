// Faults that debug.fail injects, as they are written and when they strike; when a training loss is
// lost.

#include "settings/fault.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/saved_state.h"
#include "train/loss_guard.h"

using namespace easgd;
using Kind = Fault::Kind;

namespace {

Fault parsed(const std::string& sentence) {
  return parse_faults({sentence}).at(0);
}

}  // namespace

TEST_CASE("each fault is a sentence") {
  const std::pair<const char*, Kind> all[] = {
      {"worker 3 throws at step 40", Kind::throws},
      {"worker 3 runs out of memory at step 40", Kind::runs_out_of_memory},
      {"worker 3 loses its device at step 40", Kind::loses_its_device},
      {"worker 3 loses its data at step 40", Kind::loses_its_data},
      {"worker 3 stalls 1.5 s at step 40", Kind::stalls},
      {"worker 3 sends NaN at step 40", Kind::sends_nan},
      {"worker 3 multiplies its loss by 1.5 at step 40", Kind::multiplies_its_loss},
  };
  for (const auto& [sentence, kind] : all) {
    CAPTURE(sentence);
    const Fault fault = parsed(sentence);
    CHECK(fault.kind == kind);
    CHECK(fault.worker == 3);
    CHECK(fault.amount == (kind == Kind::stalls || kind == Kind::multiplies_its_loss ? 1.5 : 0));
    CHECK_FALSE(fault.covers(39));
    CHECK(fault.covers(40));
    CHECK_FALSE(fault.covers(41));
  }
  const std::vector<Fault> disk = parse_faults({"the disk is full from version 30 to 40"});
  CHECK(bar_to_writing(disk, 29) == nullptr);
  CHECK(bar_to_writing(disk, 30) == &disk[0]);
  CHECK(bar_to_writing(disk, 40) == &disk[0]);
  CHECK(bar_to_writing(disk, 41) == nullptr);
  CHECK(bar_to_writing(parse_faults({"worker 0 throws at step 30"}), 30) == nullptr);
  CHECK(bar_to_writing(parse_faults({"the folder is read-only at version 8"}), 8));
}

TEST_CASE("what strikes in one step does not strike who begins again there") {
  const Fault once = parsed("worker 0 throws at step 40");
  CHECK(once.strikes(40, std::nullopt));
  CHECK(once.strikes(40, 39));
  CHECK_FALSE(once.strikes(40, 40));
  CHECK(parsed("worker 0 throws at step 0").strikes(0, std::nullopt));
  const Fault stretch = parsed("worker 0 throws from step 40 to 42");
  CHECK(stretch.strikes(40, 40));
  CHECK(stretch.strikes(42, std::nullopt));
  CHECK_FALSE(stretch.strikes(43, std::nullopt));
  const Fault often = parsed("worker 0 throws every 10 steps");
  CHECK_FALSE(often.strikes(0, std::nullopt));
  CHECK(often.strikes(10, std::nullopt));
  CHECK(often.strikes(20, 10));
  CHECK_FALSE(often.strikes(20, 20));
  CHECK_FALSE(often.strikes(21, 20));
}

TEST_CASE("what is no fault is refused, with what would be one") {
  for (const char* sentence : {"", "worker 1", "worker 1 throws", "worker one throws at step 4",
                               "worker 1 throws at step -4", "worker 1 throws at step 4 again",
                               "worker 1 throws at steps 4", "worker 1 stalls s at step 4",
                               "worker 1 throws from step 9 to 9", "the disk is full at step 3",
                               "worker 1 throws every 0 steps", "worker 1 throws at step nan",
                               "worker 1 throws at step 1e99"}) {
    CAPTURE(sentence);
    try {
      parse_faults({"worker 0 throws at step 4", sentence});
      FAIL("it was taken");
    } catch (const KeyError& error) {
      CHECK(error.key() == "debug.fail");
      const std::string text = error.what();
      CHECK(text.find("\"worker # throws\"") != text.npos);
      CHECK(text.ends_with("found \"" + std::string(sentence) + "\""));
    }
  }
}

TEST_CASE("a training loss is lost where it is not finite, or rises by so many spreads") {
  LossGuard off{GuardConfig{}}, guard{GuardConfig{.spike = 6}};
  CHECK(off.look(std::nan("")) != "");
  CHECK(guard.look(std::numeric_limits<double>::infinity()) != "");
  // Mean 2, spread 0.1.
  const auto ordinary = [](int i) { return 2 + (i % 2 ? 0.1 : -0.1); };
  CHECK(guard.look(1000) == "");  // nothing is sudden yet
  for (int i = 0; i < 2000; ++i) REQUIRE(guard.look(ordinary(i)) == "");
  CHECK(guard.look(2.5) == "");
  CHECK(guard.look(1) == "");  // a fall is none
  for (int i = 0; i < 2000; ++i) guard.look(ordinary(i));
  const std::string why = guard.look(2.8);
  CHECK(why.find("a training loss of 2.8, after a mean of 2") != why.npos);
  CHECK(guard.look(2.8) != "");  // it has not become usual
  for (int i = 0; i < 100; ++i) off.look(ordinary(i));
  CHECK(off.look(1e30) == "");

  StateSaver saver;
  guard.describe(saver);
  LossGuard again{GuardConfig{.spike = 6}};
  StateLoader loader(saver.saved);
  again.describe(loader);
  CHECK(again.look(2.8) == why);
}
