// A run whose training loss is lost: back to its last checkpoint, and on with a lower rate.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "nn/safetensors.h"
#include "program.h"
#include "runs/checkpoint_folder.h"
#include "runs/run_record.h"
#include "settings/load.h"
#include "temporary_folder.h"
#include "train/trainer.h"

using namespace easgd;
using namespace easgd::testing;
namespace fs = std::filesystem;

namespace {

using Settings = std::vector<std::string>;

/// Of three workers in virtual time, whose loss jumps in the middle.
Config jumping(const Settings& more) {
  Settings sets = {"data.limit=300",
                   "data.test_limit=50",
                   "workers.devices=3 x cpu",
                   "workers.threads=1",
                   "workers.batch=16",
                   "algorithm.tau=3",
                   "stop.epochs=",
                   "stop.steps=600",
                   "evaluate.every=",
                   "evaluate.every.versions=100",
                   "center.order=virtual",
                   "checkpoint.every.versions=10",
                   "guard.action=back",
                   "guard.spike=6"};
  sets.insert(sets.end(), more.begin(), more.end());
  return load_config(EASGD_SOURCE_ROOT "/configs/synthetic_logistic.toml", sets);
}

/// Its rate does: a lower one gets over it.
const Settings kRateJumps = {"algorithm.schedule.kind=steps", "algorithm.schedule.at=[0.5]",
                             "algorithm.schedule.factor=10000", "guard.rate=0.0001"};
/// Its loss alone does, whatever the rate.
const Settings kLossJumps = {
    "debug.fail=[\"worker 1 multiplies its loss by 100 from step 300 to 305\"]"};

std::vector<GuardEvent> guards_in(const std::string& folder) {
  std::vector<GuardEvent> found;
  for (const Event& event : read_run(folder).events) {
    if (const auto* guard = std::get_if<GuardEvent>(&event)) found.push_back(*guard);
  }
  return found;
}

struct Listener : RunClient {
  void warn(const std::string& message) override { warnings += message + "\n"; }
  std::string warnings;
};

/// Copies the folder as a kill would leave it once the run has gone back.
struct Copier final : Listener {
  Copier(std::string run, std::string copy) : from(std::move(run)), to(std::move(copy)) {}
  void warn(const std::string& message) override {
    Listener::warn(message);
    if (message.find("the run goes back to version ") == message.npos) return;
    fs::copy(from, to, fs::copy_options::recursive);
  }
  std::string from, to;
};

/// Ends the run when its workers have ended.
struct Hurried final : Listener {
  void end() override { hurries = true; }
  bool wants_end() override { return hurries; }
  std::atomic<bool> hurries = false;
};

/// Ends the run once it has gone back.
struct Disappointed final : Listener {
  void warn(const std::string& message) override {
    Listener::warn(message);
    if (message.find("the run goes back to version ") != message.npos) hurries = true;
  }
  bool wants_end() override { return hurries; }
  std::atomic<bool> hurries = false;
};

}  // namespace

TEST_CASE("a run gets over its step back by the lower rate, and comes to its end") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  Listener client;
  const RunResult result = train(jumping(kRateJumps), run, client);
  CAPTURE(client.warnings);
  CHECK(result.exit_code == ExitCode::done);
  CHECK(read_run(run).summary.value().status == RunStatus::done);
  CHECK(read_run(run).summary.value().steps == std::vector<std::uint64_t>(3, 600));
  const std::vector<GuardEvent> guards = guards_in(run);
  REQUIRE(guards.size() == 1);
  CHECK(guards[0].then == "back");
  CHECK(guards[0].version > 290);
}

TEST_CASE("a run that ends soon after its step back leaves the center of its end") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  // The one checkpoint is of version 200; the stall leaves time to end the second part before it
  // comes to where the first was evaluated last.
  const std::string faults =
      "debug.fail=[\"worker 1 multiplies its loss by 100 from step 300 to 305\", "
      "\"worker 0 stalls 1 s at step 230\"]";
  Disappointed client;
  const RunResult result =
      train(jumping({faults, "checkpoint.every.versions=200", "evaluate.every.versions=10"}), run,
            client);
  CAPTURE(client.warnings);
  REQUIRE(result.status() == RunStatus::interrupted);
  REQUIRE(result.summary.version.value() < 290);
  CHECK(safetensors::read(run + "/center.safetensors").metadata.at("easgd.version") ==
        std::to_string(result.summary.version.value()));
}

TEST_CASE("a run that is killed after its step back has gone back, and goes on at the lower rate") {
  const TemporaryFolder folder;
  for (const bool loss_alone : {false, true}) {
    CAPTURE(loss_alone);
    const std::string run = folder / fmt::format("run-{}", loss_alone),
                      killed = folder / fmt::format("killed-{}", loss_alone);
    Copier copier(run, killed);
    const RunResult whole = train(jumping(loss_alone ? kLossJumps : kRateJumps), run, copier);
    REQUIRE(fs::exists(killed));
    // Of the moment: an end that is none yet, and the letters up to the lost one.
    CHECK(read_run(killed).summary.value().status == RunStatus::interrupted);
    CHECK(fs::exists(killed + "/order.bin"));
    Listener client;
    const RunResult rest = resume(load_config(killed + "/config.toml", {}), killed, client);
    CAPTURE(client.warnings);
    CHECK(rest.status() == whole.status());
    CHECK(whole.status() == (loss_alone ? RunStatus::diverged : RunStatus::done));
    const std::vector<GuardEvent> guards = guards_in(killed);
    // It was killed before its log had the step back: who goes on tells it.
    REQUIRE(guards.size() == (loss_alone ? 2 : 1));
    CHECK(guards[0].then == "back");
    CHECK(guards[0].version == guards_in(run)[0].version);
    CHECK(guards[0].reason == guards_in(run)[0].reason);
    CHECK(guards.back().then == (loss_alone ? "stop" : "back"));
    if (loss_alone) continue;  // the moment of a stop is the machine's
    CHECK(bytes_of(killed + "/center.safetensors") == bytes_of(run + "/center.safetensors"));
    CHECK(bytes_of(killed + "/order.bin") == bytes_of(run + "/order.bin"));
  }
}

TEST_CASE("a signal before the step back leaves a checkpoint of before the loss was lost") {
  const TemporaryFolder folder;
  for (const std::string action : {"back", "stop"}) {
    CAPTURE(action);
    const std::string run = folder / action;
    Settings sets = kRateJumps;
    sets.push_back("guard.action=" + action);
    Hurried hurried;
    CHECK(train(jumping(sets), run, hurried).status() == RunStatus::interrupted);
    const std::vector<GuardEvent> lost = guards_in(run);
    REQUIRE(lost.size() == 1);
    const auto last = CheckpointFolder(run).load([](const std::string&) {});
    REQUIRE(last);
    CHECK(last->version <= lost[0].version);
    Listener client;
    const RunResult rest = resume(load_config(run + "/config.toml", {}), run, client);
    CHECK(rest.status() == (action == "back" ? RunStatus::done : RunStatus::diverged));
    const std::vector<GuardEvent> guards = guards_in(run);
    REQUIRE(guards.size() == 1);
    CHECK(guards[0].then == action);
    CHECK(guards[0].version == lost[0].version);
  }
}

TEST_CASE("a run that fails after its step back has a result, and goes on from there") {
  struct Failing final : Listener {
    void warn(const std::string& message) override {
      if (message.find("the run goes back to version ") == message.npos) return;
      throw DataError("the new team cannot be made");
    }
  };
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  Failing failing;
  const RunResult result = train(jumping(kRateJumps), run, failing);
  CHECK(result.exit_code == ExitCode::data);
  REQUIRE(result.failure);
  CHECK_THROWS_WITH_AS(std::rethrow_exception(result.failure), "the new team cannot be made",
                       DataError);
  CHECK(read_run(run).summary.value().status == RunStatus::failed);
  CHECK(fs::exists(run + "/order.bin"));
  Listener client;
  CHECK(resume(load_config(run + "/config.toml", {}), run, client).status() == RunStatus::done);
  const std::vector<GuardEvent> guards = guards_in(run);
  REQUIRE(guards.size() == 1);
  CHECK(guards[0].then == "back");
}

TEST_CASE("a step back that cannot be written ends the run where it is, with all of its files") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  fs::create_directories(run);
  // Every name that a new log could have on its way.
  for (int n = 1; n <= 1000; ++n) {
    std::ofstream(fmt::format("{}/metrics.jsonl.new{}", run, n == 1 ? "" : std::to_string(n)));
  }
  Listener client;
  const RunResult result = train(jumping(kLossJumps), run, client);
  CAPTURE(client.warnings);
  CHECK(client.warnings.find("the run does not go back: " + run +
                             "/metrics.jsonl: cannot be "
                             "written") != std::string::npos);
  CHECK(result.exit_code == ExitCode::done);
  CHECK(read_run(run).summary.value().status == RunStatus::diverged);
  CHECK(read_run(run).summary.value().exchanges > 290);
  CHECK(fs::exists(run + "/order.bin"));
  const std::vector<GuardEvent> guards = guards_in(run);
  REQUIRE(guards.size() == 1);
  CHECK(guards[0].then == "stop");
  check_one_line(program("train --resume " + run), 2,
                 "the run has diverged; --from-center starts another run");
  const auto last = CheckpointFolder(run).load([](const std::string&) {});
  REQUIRE(last);
  CHECK_FALSE(last->get("guard").counters.contains("went_back"));
  const Answer other = program("train --resume " + run + " --from-center --out " +
                               folder / "other --set debug.fail=[]");
  CAPTURE(other.text);
  CHECK(other.code == 0);
}

TEST_CASE("a run does not go back beside a thread that was given up, and says so") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const Answer answer = program(
      "train configs/synthetic_logistic.toml --set data.limit=300 --set data.test_limit=50 "
      "--set 'workers.devices=2 x cpu' --set workers.threads=1 --set center.order=virtual "
      "--set algorithm.tau=3 --set stop.epochs= --set stop.steps=200 "
      "--set checkpoint.every.versions=5 --set guard.action=back --set workers.patience=1 "
      "--set 'debug.fail=[\"worker 1 stalls 86400 s at step 40\", "
      "\"worker 0 sends NaN at step 150\"]' --out " +
      run);
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(answer.text.find("the run does not go back: threads of workers that were given up") !=
        std::string::npos);
  CHECK(read_run(run).summary.value().status == RunStatus::diverged);
}
