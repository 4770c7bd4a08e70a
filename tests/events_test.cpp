// What a run writes of itself is read back the same; the texts are those that other programs rely
// on.
#include "runs/events.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "runs/summarise.h"
#include "runs/summary.h"

using namespace easgd;
using nlohmann::json;

namespace {

/// As it stands in a file.
json in_file(const json& value) {
  return json::parse(value.dump());
}

/// The text of an event, after it was checked that it reads back to the same.
std::string text_of(const Event& event) {
  const std::string text = to_json(event).dump();
  const std::optional<Event> again = event_of(json::parse(text));
  REQUIRE(again);
  CHECK(again->index() == event.index());
  CHECK(to_json(*again).dump() == text);
  return text;
}

RunSummary some_summary() {
  RunSummary s;
  s.name = "caf\u00e9";
  s.algorithm = "easgd";
  s.exchange = "asynchronous";
  s.backend = "cpu";
  s.devices = {"cpu", "cuda:1"};
  s.workers = 2;
  s.failed_workers = 1;
  s.tau = 10;
  s.alpha = 0.1;
  s.rho = 2.5;
  s.beta = 0.2;
  s.seed = 9'200'000'000'000'000'000;
  s.steps = {12, 18'446'744'073'709'551'615u};
  s.epochs = 1.5;
  s.wall_seconds = 3.25;
  s.virtual_seconds = 7;
  s.images_per_second = 1e-300;
  s.version = 24;
  s.train_loss = 0.5;
  s.test_loss = 1.0 / 3;
  s.test_error = 0.25;
  s.environment = {.program = "0.1.0", .processor = "some", .cores = 2, .gpus = {"one"}};
  s.best_test_error = 0.125;
  s.time_to_error = {{"0.25", 1.5}, {"0.9", 0.1}};
  s.exchanges = 24;
  s.refused_letters = 3;
  s.bad_images = 7;
  s.exchange_wait_fraction = 0.5;
  s.data_wait_fraction = 0.0625;
  s.status = RunStatus::diverged;
  return s;
}

}  // namespace

TEST_CASE("events of checkpoints are written as the contract says, and read back") {
  CheckpointEvent saved{.seconds = 2.5,
                        .version = 12,
                        .file = "checkpoints/version-12",
                        .bytes = 99,
                        .write_seconds = 0.25};
  CHECK(text_of(saved) ==
        R"({"bytes":99,"event":"checkpoint","file":"checkpoints/version-12","time":2.5,)"
        R"("version":12,"write_seconds":0.25})");
  saved.is_virtual = true;
  CHECK(json::parse(text_of(saved)).at("wall_time") == 2.5);
  ResumeEvent resumed{.seconds = 2.5,
                      .version = 12,
                      .file = "checkpoints/version-12",
                      .lost_seconds = 1.5,
                      .lost_versions = 7};
  CHECK(text_of(resumed) ==
        R"({"event":"resume","file":"checkpoints/version-12","lost_seconds":1.5,)"
        R"("lost_versions":7,"time":2.5,"version":12})");
  resumed.is_virtual = true;
  CHECK(json::parse(text_of(resumed)).at("wall_time") == 2.5);
}

TEST_CASE("each event is written as the contract says, and reads back") {
  CHECK(text_of(EvaluationEvent{.time = 1.5,
                                .version = 7,
                                .steps = {3, 4},
                                .epoch = 0.25,
                                .train_loss = 2,
                                .test_loss = 0.1,
                                .test_error = 0.75}) ==
        R"({"epoch":0.25,"event":"evaluation","steps":[3,4],"test_error":0.75,"test_loss":0.1,)"
        R"("time":1.5,"train_loss":2.0,"version":7})");
  CHECK(text_of(EvaluationEvent{.test_error = 0.75, .test_top5_error = 0.5}) ==
        R"({"epoch":0.0,"event":"evaluation","steps":[],"test_error":0.75,"test_loss":0.0,)"
        R"("test_top5_error":0.5,"time":0.0,"train_loss":0.0,"version":0})");
  ProgressEvent progress{
      .seconds = 5, .fraction = 0.5, .epoch = 2, .images_per_second = 80, .workers = {{}, {}}};
  progress.workers[1] = {1, 20, 0.5, 1.5, 0.25, 2, 1, 3, 0.125, 0.75, 0.0625};
  const std::string workers =
      R"("workers":[{"data_seconds":0.0,"distance":0.0,"exchange_seconds":0.0,"exchanges":0,)"
      R"("gradient_seconds":0.0,"learning_rate":0.0,"refused":0,"staleness":0,"steps":0,)"
      R"("train_loss":null,"worker":0},)"
      R"({"data_seconds":0.5,"distance":0.125,"exchange_seconds":0.25,"exchanges":2,)"
      R"("gradient_seconds":1.5,"learning_rate":0.0625,"refused":1,"staleness":3,"steps":20,)"
      R"("train_loss":0.75,)"
      R"("worker":1}]})";
  CHECK(text_of(progress) ==
        R"({"epoch":2.0,"event":"progress","fraction":0.5,"images_per_second":80.0,"time":5.0,)" +
            workers);
  progress.is_virtual = true;
  progress.fraction.reset();
  CHECK(text_of(progress) ==
        R"({"epoch":2.0,"event":"progress","images_per_second":80.0,"wall_time":5.0,)" + workers);
  CHECK(text_of(WarningEvent{"it is late"}) == R"({"event":"warning","message":"it is late"})");
  CHECK(text_of(WarningEvent{"it failed", 3}) ==
        R"({"event":"warning","message":"it failed","worker":3})");
  CHECK(text_of(WarningEvent{.message = "it is late", .seconds = 2.5, .is_virtual = true}) ==
        R"({"event":"warning","message":"it is late","wall_time":2.5})");
  CHECK(text_of(FailureEvent{.seconds = 2.5,
                             .worker = 3,
                             .step = 40,
                             .version = 7,
                             .reason = "burnt out",
                             .then = "restart"}) ==
        R"({"event":"failure","reason":"burnt out","step":40,"then":"restart","time":2.5,)"
        R"("version":7,"worker":3})");
  CHECK(text_of(RestartEvent{
            .seconds = 2.5, .is_virtual = true, .worker = 3, .step = 40, .version = 8}) ==
        R"({"event":"restart","step":40,"version":8,"wall_time":2.5,"worker":3})");
  CHECK(text_of(GuardEvent{.seconds = 2.5, .version = 8, .reason = "it rose", .then = "stop"}) ==
        R"({"event":"guard","reason":"it rose","then":"stop","time":2.5,"version":8})");
}

TEST_CASE("an event reads back with its values") {
  const auto progress = std::get<ProgressEvent>(*event_of(in_file(
      to_json(ProgressEvent{.seconds = 5, .is_virtual = true, .workers = {{.staleness = 9}}}))));
  CHECK(progress.is_virtual);
  CHECK(progress.seconds == 5);
  CHECK(progress.workers.at(0).staleness == 9);
  const auto evaluation =
      std::get<EvaluationEvent>(*event_of(in_file(to_json(EvaluationEvent{.steps = {1, 2}}))));
  CHECK(evaluation.steps == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a loss that is not finite is null, and null is no number") {
  const double infinite = std::numeric_limits<double>::infinity();
  const json event = to_json(EvaluationEvent{.train_loss = std::nan(""), .test_loss = infinite});
  CHECK(event.dump().find(R"("test_loss":null,"time":0.0,"train_loss":null)") != std::string::npos);
  const auto again = std::get<EvaluationEvent>(*event_of(in_file(event)));
  CHECK(std::isnan(again.train_loss));
  CHECK(std::isnan(again.test_loss));
}

TEST_CASE("a summary reads back the same, whatever other keys there are") {
  json object = in_file(to_json(some_summary()));
  CHECK(object.size() == 33);
  object["of a later program"] = {1, 2};
  const RunSummary again = summary_of(object);
  CHECK(to_json(again).dump() == to_json(some_summary()).dump());
  CHECK(again.environment->gpus == some_summary().environment->gpus);
  CHECK(again.steps == some_summary().steps);
  CHECK(again.seed == some_summary().seed);
  CHECK(again.status == RunStatus::diverged);
  CHECK(again.time_to_error.at("0.25") == 1.5);
}

TEST_CASE("what a run never came to is null in its summary, and nothing again when it is read") {
  const json object = in_file(to_json(RunSummary{}));
  for (const char* key :
       {"virtual_seconds", "version", "train_loss", "test_loss", "test_error", "best_test_error"}) {
    CAPTURE(key);
    CHECK(object.at(key).is_null());
  }
  CHECK(object.at("time_to_error") == json::object());
  CHECK(object.at("steps") == json::array());
  const RunSummary again = summary_of(object);
  CHECK_FALSE(again.version);
  CHECK(std::isnan(again.test_error));
  CHECK(again.status == RunStatus::done);
}

TEST_CASE("a key that is not of its kind is refused by its name") {
  const auto complaint = [](const char* key, const json& value) -> std::string {
    json object = to_json(some_summary());
    object[key] = value;
    try {
      summary_of(object);
    } catch (const DataError& e) {
      return e.what();
    }
    return "none";
  };
  CHECK(complaint("workers", -1) == "workers: expected an integer; found -1");
  CHECK(complaint("workers", 1.5) == "workers: expected an integer; found 1.5");
  CHECK(complaint("steps", {1, "a"}) == "steps: expected an integer; found \"a\"");
  CHECK(complaint("steps", 3) == "steps: expected a list; found 3");
  CHECK(complaint("alpha", "0.1") == "alpha: expected a number; found \"0.1\"");
  CHECK(complaint("time_to_error", 2) == "time_to_error: expected an object of numbers; found 2");
  CHECK(complaint("status", "lost") == "status: expected a word that is known; found \"lost\"");
  CHECK(complaint("name", nullptr) == "name: expected a text; found null");
  CHECK(complaint("test_loss", nullptr) == "none");
}

TEST_CASE("the conclusion of a run names what went wrong") {
  CHECK(conclusion(some_summary()) ==
        "caf\u00e9: diverged in 3.2 s (7.0 virtual s), 0 images/s, test error 25.00 % (best 12.50 "
        "%), 3 letters refused for not being finite (a lower learning rate?), 7 bad pictures "
        "passed over, 1 of 2 workers "
        "failed");
  RunSummary s;
  s.name = "run";
  s.images_per_second = 80;
  CHECK(conclusion(s) == "run: done in 0.0 s, 80 images/s");
}

TEST_CASE("refusals last where the worker neither begins again nor is gone") {
  using enum Incident::Kind;
  const auto refusals = [](std::vector<Incident> incidents) {
    return lasting_refusals({.letters = {0, 0, 1}, .steps = {100, 200}, .incidents = incidents});
  };
  const auto late = [&](const std::vector<Incident>& incidents) {
    return refusals(incidents).late;
  };
  const auto count = [&](const std::vector<Incident>& incidents) {
    return refusals(incidents).count;
  };
  const auto at = [](std::uint64_t worker, Incident::Kind kind, std::uint64_t clock) {
    return Incident{.worker = worker, .kind = kind, .clock = clock};
  };
  CHECK_FALSE(late({}));
  CHECK(count({}) == 0);
  CHECK_FALSE(late({at(0, refused, 74)}));
  CHECK(late({at(0, refused, 75)}));
  CHECK_FALSE(late({at(1, refused, 75), at(1, refused, 149)}));
  CHECK(count({at(1, refused, 75), at(1, refused, 149)}) == 2);
  CHECK(late({at(0, refused, 1), at(1, refused, 150)}));
  CHECK_FALSE(late({at(0, refused, 75), at(0, began, 76)}));
  CHECK(count({at(0, refused, 75), at(1, refused, 9), at(0, began, 76)}) == 1);
  CHECK(late({at(0, refused, 75), at(1, began, 76)}));
  CHECK(late({at(0, began, 76), at(0, refused, 80)}));
  CHECK_FALSE(late({at(1, refused, 190), at(1, gone, 190)}));
  CHECK(count({at(1, refused, 190), at(1, gone, 190)}) == 0);
  CHECK(late({at(0, refused, 75), at(0, went_back, 3)}));  // all of them, and of no worker
}

TEST_CASE("a run has diverged by its loss, or by the letters that were refused") {
  const auto refused = [](std::uint64_t count, std::uint64_t absorbed, bool late = false) {
    TeamTotals totals;
    totals.refused = count;
    totals.exchanges = absorbed;
    return Outcome{.refusals = {count, late}, .totals = totals};
  };
  const auto diverged = [](const Outcome& outcome) {
    return verdict(outcome) == RunStatus::diverged;
  };
  CHECK(verdict({}) == RunStatus::done);
  CHECK(verdict({.never_moved = true}) == RunStatus::done);
  CHECK_FALSE(diverged(refused(1, 9)));  // a tenth of all letters
  CHECK(diverged(refused(1, 8)));
  CHECK_FALSE(diverged(refused(2, 1000, true)));
  CHECK(diverged(refused(3, 1000, true)));
  CHECK_FALSE(diverged(refused(3, 1000)));
  Outcome outcome = refused(1, 1000);
  outcome.never_moved = true;
  CHECK(diverged(outcome));
  outcome = refused(5, 8);
  outcome.refusals = {};  // whose workers began again
  CHECK_FALSE(diverged(outcome));
  Evaluation good, bad;
  good.test = {1, 0, 1};
  bad.test = {std::nan(""), 0, 1};
  CHECK(diverged({.evaluations = {good, bad}}));
  CHECK_FALSE(diverged({.evaluations = {bad, good}}));
  CHECK(verdict({.interrupted = true, .evaluations = {bad}}) == RunStatus::interrupted);
  CHECK(verdict({.failed = true, .interrupted = true}) == RunStatus::failed);
  CHECK(verdict({.paused = true, .evaluations = {bad}}) == RunStatus::paused);
  CHECK(verdict({.failed = true, .paused = true}) == RunStatus::failed);
}
