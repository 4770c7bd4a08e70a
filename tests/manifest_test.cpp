// A sweep's manifest: what is appended is read back, and nothing that was appended is lost.
#include "runs/manifest.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "temporary_folder.h"

using namespace easgd;
using easgd::testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

PlanEvent some_plan() {
  PlannedRun first{.identity = "a1", .folder = "runs/a1", .seed = 1};
  first.values = {{"algorithm.name", "easgd"}, {"algorithm.tau", "4"}};
  PlannedRun second{.identity = "b2", .folder = "runs/b2", .seed = 2};
  second.adapted = {"algorithm.tau=1"};
  PlanEvent plan;
  plan.name = "study";
  plan.axes = {"algorithm.tau", "algorithm.name"};
  plan.total = 2;
  plan.runs = {first, second};
  return plan;
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void append(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

}  // namespace

TEST_CASE("a manifest reads back: the last plan, and of each run the last state") {
  const TemporaryFolder folder;
  CHECK(!is_sweep(folder.path()));
  {
    Manifest manifest(folder.path());
    PlanEvent older = some_plan();
    older.runs.clear();
    manifest.write(older);
    manifest.write(some_plan());
    manifest.write(StateEvent{.identity = "a1", .state = RunState::running, .attempt = 1});
    manifest.write(StateEvent{.identity = "a1",
                              .state = RunState::failed,
                              .attempt = 1,
                              .exit_code = 3,
                              .reason = "no data: \xff"});
  }
  CHECK(is_sweep(folder.path()));
  const SweepRecord record = read_sweep(folder.path());
  REQUIRE(record.plan);
  CHECK(record.plan->name == "study");
  CHECK(record.plan->time.size() == std::string("2026-11-28T20:40:00Z").size());
  CHECK(record.plan->axes == some_plan().axes);
  REQUIRE(record.plan->runs.size() == 2);
  CHECK(record.plan->runs[0].values == some_plan().runs[0].values);
  CHECK(record.plan->runs[1].adapted == some_plan().runs[1].adapted);
  CHECK(record.plan->runs[1].seed == 2);
  const StateEvent failed = record.state_of("a1");
  CHECK(failed.state == RunState::failed);
  CHECK(failed.exit_code == 3);
  CHECK(failed.reason == "no data: \xef\xbf\xbd");
  CHECK(record.state_of("b2").state == RunState::waiting);
  CHECK(record.state_of("b2").attempt == 0);
}

TEST_CASE("a manifest keeps what a run had come to wherever it has paused") {
  const TemporaryFolder folder;
  PlanEvent plan = some_plan();
  plan.rungs = {"epochs=1", "epochs=3"};
  {
    Manifest manifest(folder.path());
    manifest.write(plan);
    StateEvent state{.identity = "a1", .state = RunState::paused, .until = "epochs=1"};
    state.result = RungResult{.test_error = 0.25, .test_loss = 0.1, .train_loss = std::nan("")};
    manifest.write(state);
    manifest.write(StateEvent{.identity = "a1", .state = RunState::running, .until = "epochs=3"});
    state.until = "epochs=3";
    state.result->test_error = 0.125;
    manifest.write(state);
    manifest.write(StateEvent{.identity = "a1", .state = RunState::running, .until = "end"});
  }
  const SweepRecord record = read_sweep(folder.path());
  CHECK(record.plan->rungs == plan.rungs);
  CHECK(record.state_of("a1").until == "end");
  CHECK_FALSE(record.state_of("a1").result);
  REQUIRE(record.rungs.at("a1").size() == 2);
  CHECK(record.rungs.at("a1").at("epochs=1").test_error == 0.25);
  CHECK(std::isnan(record.rungs.at("a1").at("epochs=1").train_loss));
  CHECK(record.rungs.at("a1").at("epochs=3").test_error == 0.125);
}

TEST_CASE("a run that was added stays beside later plans of the same axes, and of no others") {
  const TemporaryFolder folder;
  const PlannedRun extra{.identity = "c3", .folder = "runs/c3", .seed = 1};
  PlanEvent plan = some_plan();
  Manifest manifest(folder.path());
  manifest.write(plan);
  manifest.write(AddedEvent{.run = extra});
  manifest.write(AddedEvent{.run = plan.runs[0]});  // which is there
  const auto identities = [&folder] {
    const SweepRecord record = read_sweep(folder.path());
    std::string all;
    for (const PlannedRun& run : record.plan->runs) all += run.identity + " ";
    return all;
  };
  CHECK(identities() == "a1 b2 c3 ");
  CHECK(read_sweep(folder.path()).plan->total == 3);
  CHECK(read_sweep(folder.path()).added == 1);
  plan.runs.pop_back();
  manifest.write(plan);
  CHECK(identities() == "a1 c3 ");
  plan.runs.push_back(extra);  // now it is planned
  manifest.write(plan);
  CHECK(identities() == "a1 c3 ");
  CHECK(read_sweep(folder.path()).added == 0);
  manifest.write(AddedEvent{.run = some_plan().runs[1]});
  plan.axes.pop_back();
  manifest.write(plan);
  CHECK(identities() == "a1 c3 ");
}

TEST_CASE("a torn last line is nobody's: readers leave it out, the next writer drops it") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "manifest.jsonl";
  Manifest(folder.path()).write(some_plan());
  const std::string whole = text_of(file);
  append(file, R"({"event":"run","identity":"a1","state":"do)");
  CHECK(read_sweep(folder.path()).state_of("a1").state == RunState::waiting);
  Manifest(folder.path()).write(StateEvent{.identity = "b2", .state = RunState::done});
  CHECK(text_of(file).starts_with(whole));
  CHECK(text_of(file).find("a1\",\"state") == std::string::npos);
  CHECK(read_sweep(folder.path()).state_of("b2").state == RunState::done);
}

TEST_CASE("lines of a later program are passed over, damaged ones are named") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "manifest.jsonl";
  append(file, "{\"event\":\"weather\",\"rain\":true}\n");
  CHECK(!read_sweep(folder.path()).plan);
  append(file, "{\"event\":\"run\",\"identity\":7}\n");
  append(file, "[1,2]\n{{{\n");
  append(file, R"({"event":"run","identity":"a","state":"paused","until":"?","result":{}})"
               "\n");
  Manifest(folder.path()).write(some_plan());
  const SweepRecord record = read_sweep(folder.path());
  REQUIRE(record.notes.size() == 4);
  CHECK(record.notes[0] ==
        file.string() + ":2: identity: expected a text; found 7; the line is left out");
  CHECK(record.notes[1].starts_with(file.string() + ":3: event: expected an object"));
  CHECK(record.notes[2] == file.string() + ":4: is not valid JSON; the line is left out");
  CHECK(record.notes[3].starts_with(file.string() + ":5: "));
  CHECK(record.states.empty());
  CHECK(record.plan->runs.size() == 2);
  CHECK_THROWS_AS(read_sweep(folder.path() / "nowhere"), DataError);
}

TEST_CASE("a manifest names no run outside its sweep") {
  for (const std::string place : {"/tmp", "../other", "runs/../../other", ""}) {
    const TemporaryFolder folder;
    const std::string run = R"({"identity":"a","seed":1,"folder":")" + place + "\"}";
    append(folder.path() / "manifest.jsonl",
           R"({"event":"plan","name":"s","total":0,"axes":[],"runs":[]})"
           "\n{\"event\":\"added\",\"run\":" +
               run + "}\n");
    const SweepRecord record = read_sweep(folder.path());
    CHECK(record.plan->runs.empty());
    REQUIRE(record.notes.size() == 1);
    CHECK(record.notes[0].find("manifest.jsonl:2: folder: expected a path inside the sweep's "
                               "folder; found \"" +
                               place + "\"") != std::string::npos);
  }
}

TEST_CASE("two of one sweep at once: the second says so") {
  const TemporaryFolder folder;
  const Manifest first(folder.path());
  CHECK_THROWS_WITH_AS(Manifest(folder.path()),
                       (folder.path().string() + ": a sweep is at work in it").c_str(),
                       ConfigError);
}
