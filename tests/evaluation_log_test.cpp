// The evaluations of a run as a checkpoint holds them.
#include "runs/evaluation_log.h"

#include <doctest/doctest.h>

#include "base/error.h"

namespace easgd::testing {
namespace {

TEST_CASE("evaluations are what they were when a checkpoint has held them, up to its version") {
  const auto of = [](const Tally& t) { return std::tuple(t.loss, t.hits, t.samples, t.top5_hits); };
  EvaluationLog log, loaded;
  log.add({1.5, 10, {3, 4}, {.loss = 2, .hits = 1, .samples = 8, .top5_hits = 5}, {.samples = 9}});
  log.add({2.5, 20, {5, 6}, {.samples = 7, .top5_hits = Tally::kUnknown}, {.loss = 3, .hits = 4}});
  log.add({3.5, 30, {7, 8}, {}, {}});
  loaded.load(log.saved_up_to(20), 2);
  REQUIRE(loaded.all().size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CAPTURE(i);
    const Evaluation was = log.all()[i], is = loaded.all()[i];
    CHECK(is.seconds == was.seconds);
    CHECK(is.version == was.version);
    CHECK(is.steps == was.steps);
    CHECK(of(is.train) == of(was.train));
    CHECK(of(is.test) == of(was.test));
  }
}

TEST_CASE("evaluations of more samples than there can be are refused") {
  EvaluationLog log;
  log.add({1, 10, {3}, {.samples = 8}, {.samples = 9}});
  for (const std::string name : {"train.samples", "test.hits", "test.top5_hits"}) {
    CAPTURE(name);
    SavedState forged = log.saved_up_to(10);
    forged.counters.at(name) = {1ull << 62};
    CHECK_THROWS_WITH_AS(EvaluationLog().load(forged, 1),
                         ("\"" + name + "\": is no number of samples").c_str(), DataError);
  }
}

}  // namespace
}  // namespace easgd::testing
