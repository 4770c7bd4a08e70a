// A run that pauses where it is told: evaluated there, and going on as if it had not.

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "program.h"
#include "runs/pause_point.h"
#include "runs/run_record.h"
#include "settings/load.h"
#include "temporary_folder.h"
#include "train/trainer.h"

using namespace easgd;
using namespace easgd::testing;
namespace fs = std::filesystem;

namespace {

using Settings = std::vector<std::string>;

/// Of a method, some epochs of nine.
Config short_run(const std::string& name, const Settings& more) {
  const Algorithm& algorithm = Registry<Algorithm>::get(name);
  Settings sets = {"data.samples=300",       "data.test_limit=50",
                   "workers.threads=1",      "workers.batch=10",
                   "virtual.jitter=0.3",     "virtual.transfer_seconds=0.04",
                   "stop.epochs=9",          "evaluate.every.epochs=2",
                   "algorithm.tau=3",        "algorithm.schedule.kind=cosine",
                   "algorithm.beta=",        "algorithm.name=" + name,
                   "workers.devices=3 x cpu"};
  if (algorithm.single) sets.back() = "workers.devices=cpu";
  if (algorithm.coupling == Coupling::elastic) sets.emplace_back("algorithm.beta=0.6");
  if (algorithm.exchange == Exchange::synchronous) {
    sets.emplace_back("algorithm.exchange=synchronous");
  }
  if (algorithm.every_step) sets.emplace_back("algorithm.tau=1");
  sets.insert(sets.end(), more.begin(), more.end());
  return load_config(EASGD_SOURCE_ROOT "/configs/synthetic_logistic.toml", sets);
}

std::vector<EvaluationEvent> evaluations_in(const std::string& folder) {
  std::vector<EvaluationEvent> found;
  for (const Event& event : read_run(folder).events) {
    if (const auto* evaluation = std::get_if<EvaluationEvent>(&event)) found.push_back(*evaluation);
  }
  return found;
}

/// The evaluation of a center, as it stands in the file.
std::string evaluation_of(const std::string& folder, std::uint64_t version) {
  for (const EvaluationEvent& e : evaluations_in(folder)) {
    if (e.version == version) return to_json(e).dump();
  }
  return "";
}

std::uint64_t last_checkpoint(const std::string& folder) {
  std::uint64_t last = 0;
  for (const auto& entry : fs::directory_iterator(folder + "/checkpoints")) {
    last = std::max(last, std::uint64_t(std::stoull(entry.path().filename().string().substr(8))));
  }
  return last;
}

RunResult go_on(const std::string& folder, std::optional<PausePoint> pause = {}) {
  RunClient calm;
  return resume(load_config(folder + "/config.toml", {}), folder, calm, pause);
}

/// It has paused at the first version that has come so far, with an evaluation of that one.
void check_paused(const RunResult& result, const std::string& folder, const PausePoint& where) {
  CHECK(result.exit_code == ExitCode::done);
  const RunSummary summary = read_run(folder).summary.value();
  CHECK(summary.status == RunStatus::paused);
  CHECK(summary.paused_at == where.text());
  CHECK(last_checkpoint(folder) == summary.version);
  const std::vector<EvaluationEvent> evaluations = evaluations_in(folder);
  REQUIRE(!evaluations.empty());
  CHECK(evaluations.back().version == summary.version);
  CHECK(where.is_reached(evaluations.back().epoch, evaluations.back().steps));
  CHECK(summary.test_error == evaluations.back().test_error);
}

}  // namespace

TEST_CASE("a run that pauses at each rung ends in the bytes of one that never paused") {
  struct Way {
    std::string name, order;
  };
  const TemporaryFolder folder;
  for (const Way& way :
       {Way{"easgd", "virtual"}, Way{"eamsgd", "round_robin"}, Way{"downpour", "virtual"},
        Way{"mdownpour", "virtual"}, Way{"admm", "round_robin"}, Way{"diloco", "virtual"},
        Way{"allreduce", "free"}, Way{"msgd", "free"}}) {
    CAPTURE(way.name);
    const Config config = short_run(way.name, {"center.order=" + way.order});
    const std::string whole = folder / (way.name + "-whole"), pieces = folder / (way.name + "-p");
    RunClient calm;
    REQUIRE(train(config, whole, calm).status() == RunStatus::done);
    const std::vector<PausePoint> rungs = {{PauseUnit::epochs, 1}, {PauseUnit::epochs, 3}};
    check_paused(train(config, pieces, calm, rungs[0]), pieces, rungs[0]);
    // Once more at the same place: nothing has changed.
    const RunSummary before = read_run(pieces).summary.value();
    check_paused(go_on(pieces, rungs[0]), pieces, rungs[0]);
    CHECK(read_run(pieces).summary.value().version == before.version);
    CHECK(read_run(pieces).summary.value().test_loss == before.test_loss);
    check_paused(go_on(pieces, rungs[1]), pieces, rungs[1]);
    REQUIRE(go_on(pieces).status() == RunStatus::done);
    CHECK(read_run(pieces).summary.value().paused_at == std::nullopt);
    CHECK(read_run(pieces).summary.value().identity == read_run(whole).summary.value().identity);
    CHECK(bytes_of(pieces + "/center.safetensors") == bytes_of(whole + "/center.safetensors"));
    CHECK(fs::exists(pieces + "/order.bin") == fs::exists(whole + "/order.bin"));
    CHECK(bytes_of(pieces + "/order.bin") == bytes_of(whole + "/order.bin"));
    if (way.order != "virtual") continue;
    // In virtual time nobody's evaluations depend on the machine.
    CHECK(evaluations_in(pieces).size() > evaluations_in(whole).size());
    for (const EvaluationEvent& e : evaluations_in(whole)) {
      CHECK(evaluation_of(pieces, e.version) == to_json(e).dump());
    }
  }
}

TEST_CASE("what a run has come to at a rung does not depend on its earlier pauses") {
  const TemporaryFolder folder;
  const Config config = short_run("eamsgd", {"center.order=virtual"});
  const PausePoint first{PauseUnit::steps, 7}, second{PauseUnit::steps, 21};
  RunClient calm;
  check_paused(train(config, folder / "at-once", calm, second), folder / "at-once", second);
  check_paused(train(config, folder / "often", calm, first), folder / "often", first);
  check_paused(go_on(folder / "often", second), folder / "often", second);
  const std::uint64_t version = last_checkpoint(folder / "at-once");
  CHECK(last_checkpoint(folder / "often") == version);
  CHECK(evaluation_of(folder / "often", version) == evaluation_of(folder / "at-once", version));
  CHECK(bytes_of(folder / "often/center.safetensors") ==
        bytes_of(folder / "at-once/center.safetensors"));
}

TEST_CASE("a pause comes at the first version that is so far") {
  const TemporaryFolder folder;
  const Config config = short_run("easgd", {"center.order=virtual", "algorithm.tau=1",
                                            "evaluate.every.epochs=", "evaluate.every.versions=1"});
  RunClient calm;
  REQUIRE(train(config, folder / "whole", calm).status() == RunStatus::done);
  for (const PausePoint where : {PausePoint{PauseUnit::epochs, 2}, {PauseUnit::steps, 13}}) {
    const std::string paused = folder / where.text();
    check_paused(train(config, paused, calm, where), paused, where);
    std::uint64_t expected = 0;
    for (const EvaluationEvent& e : evaluations_in(folder / "whole")) {
      if (expected == 0 && where.is_reached(e.epoch, e.steps)) expected = e.version;
    }
    CHECK(expected > 0);
    CHECK(last_checkpoint(paused) == expected);
  }
}

TEST_CASE("a run that has paused does not go back for a letter that was on its way") {
  const TemporaryFolder folder;
  for (const std::string action : {"back", "stop"}) {
    CAPTURE(action);
    const Settings more = {"center.order=virtual",
                           "algorithm.tau=1",
                           "evaluate.every.epochs=",
                           "evaluate.every.versions=20",
                           "checkpoint.every.versions=20",
                           "guard.action=" + action,
                           "debug.fail=[\"worker 1 sends NaN at step 40\"]"};
    const std::string run = folder / action;
    const PausePoint where{PauseUnit::steps, 40};
    RunClient calm;
    check_paused(train(short_run("easgd", more), run, calm, where), run, where);
    std::vector<std::uint64_t> due;
    for (const EvaluationEvent& e : evaluations_in(run)) {
      if (e.version % 20 == 0) due.push_back(e.version);
    }
    CHECK(due.size() == last_checkpoint(run) / 20);
    for (const Event& event : read_run(run).events) CHECK(!std::get_if<GuardEvent>(&event));
  }
}

TEST_CASE("a run whose pause finds the error that it is to reach is done") {
  const TemporaryFolder folder;
  const auto run_until = [](const std::string& error) {
    return short_run("easgd", {"center.order=round_robin", "evaluate.every.epochs=1000",
                               "stop.epochs=5000", "stop.test_error=" + error});
  };
  const PausePoint where{PauseUnit::epochs, 2};
  RunClient calm;
  CHECK(train(run_until("1"), folder / "a", calm, where).status() == RunStatus::done);
  const RunSummary done = read_run(folder / "a").summary.value();
  CHECK(done.paused_at == std::nullopt);
  CHECK(evaluations_in(folder / "a").back().version == done.version);
  // One that has found it before, and was not to stop there, ends as soon as it goes on.
  check_paused(train(run_until("0.0001"), folder / "b", calm, where), folder / "b", where);
  const RunResult ended = resume(run_until("1"), folder / "b", calm);
  CHECK(ended.status() == RunStatus::done);
  CHECK(ended.summary.epochs < 5000);
}

TEST_CASE("a pause behind the end is none, and one that cannot be is told in a line") {
  const TemporaryFolder folder;
  const std::string small = kTrain + "--set data.samples=2000 ";
  const std::string run = small + "--out " + folder / "run";
  check_one_line(program(run + " --pause-at 3"), 2, "--pause-at: expected epochs=<number>");
  check_one_line(program(run + " --pause-at ''"), 2, "--pause-at: is empty");
  check_one_line(program(small + "--out ''"), 2, "--out: is empty");
  check_one_line(program(run + " --pause-at epochs=0"), 2, "found epochs=0");
  check_one_line(program(run + " --pause-at weeks=1"), 2, "found weeks=1");
  check_one_line(program(run + " --pause-at steps=1x"), 2, "found steps=1x");
  check_one_line(program(run + " --pause-at steps=1.5"), 2, "found steps=1.5");
  check_one_line(program(run + " --pause-at epochs=1 --set checkpoint.keep=0"), 2,
                 "checkpoint.keep: is 0; a run that is to pause needs a checkpoint");
  CHECK(!fs::exists(folder / "run"));
  const Answer answer = program(run + " --pause-at epochs=1000");
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(read_run(folder / "run").summary.value().status == RunStatus::done);
  const Answer paused = program(small + "--pause-at epochs=0.5 --out " + folder / "paused");
  CAPTURE(paused.text);
  CHECK(paused.code == 0);
  CHECK(paused.last_line().find(": paused in ") != std::string::npos);
  CHECK(program("train --resume " + folder / "paused").code == 0);
  CHECK(read_run(folder / "paused").summary.value().status == RunStatus::done);
}
