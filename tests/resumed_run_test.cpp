// A run that is cut short and goes on: the same files as if nothing had happened.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "algorithms/algorithm.h"
#include "base/error.h"
#include "base/usable_cores.h"
#include "changed_state.h"
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

/// Ends the run after it has been shown so often.
struct Impatient final : RunClient {
  explicit Impatient(int looks) : looks_left(looks), hurries(looks == 0) {}
  void show(const ProgressState&) override { hurries = hurries || --looks_left == 0; }
  bool wants_end() override { return hurries; }
  void warn(const std::string& message) override { warnings += message + "\n"; }

  int looks_left;
  std::atomic<bool> hurries;
  std::string warnings;
};

/// Ends the run while its last center is evaluated.
struct Late final : RunClient {
  void end() override { is_over = true; }
  void line(const std::string& text) override {
    if (is_over && text.find("| test loss ") != text.npos) hurries = true;
  }
  bool wants_end() override { return hurries; }

  std::atomic<bool> is_over = false, hurries = false;
};

/// The last center cannot be saved: a folder has come there when the workers had ended.
struct Obstructed final : RunClient {
  explicit Obstructed(std::string path) : center(std::move(path)) {}
  void end() override {
    std::error_code is_there;  // the evaluator may be saving one
    do fs::remove(center);
    while (!fs::create_directory(center, is_there));
  }
  const std::string center;
};

/// The master fails when a worker begins again, while the first checkpoint is being written.
struct Crashing final : RunClient {
  void line(const std::string& text) override {
    if (text.find(" goes on with step ") != text.npos) throw DataError("the master has failed");
    if (text.find(" is safe: ") == text.npos || !first.empty()) return;
    first = text;
    is_over.wait(false);
  }
  void end() override {
    is_over = true;
    is_over.notify_all();
  }

  std::string first;
  std::atomic<bool> is_over = false;
};

/// Ends the run in the middle of a test, which then takes longer than an end may.
struct Untimely final : RunClient {
  bool wants_end() override {
    if (std::this_thread::get_id() == main) return hurries;
    if (hurries) sleep_ms(waits.exchange(0));
    if (++batches == 8) hurries = true;
    return hurries;
  }
  void warn(const std::string& message) override { warnings += message + "\n"; }

  const std::thread::id main = std::this_thread::get_id();
  std::atomic<int> batches = 0, waits = 5100;
  std::atomic<bool> hurries = false;
  std::string warnings;
};

/// Copies the folder as a kill would leave it when a worker has begun again, after a checkpoint.
struct Copier final : RunClient {
  Copier(std::string run, std::string copy) : from(std::move(run)), to(std::move(copy)) {}
  void line(const std::string& text) override {
    if (text.find(" is safe: ") != text.npos) {
      is_safe = true;
      is_safe.notify_all();
    }
    if (text.find(" goes on with step ") == text.npos) return;
    is_safe.wait(false);
    fs::copy(from, to, fs::copy_options::recursive);
  }

  const std::string from, to;
  std::atomic<bool> is_safe = false;
};

/// In whose run the first test and the first checkpoint end together, when the folder is copied.
struct Tester final : RunClient {
  Tester(std::string run, std::string copy) : from(std::move(run)), to(std::move(copy)) {}
  bool wants_end() override {
    if (std::this_thread::get_id() == main) return false;
    is_tested = true;
    is_tested.notify_all();
    for (int naps = 0; naps < 1000 && !is_safe; ++naps) sleep_ms(10);
    return false;
  }
  void line(const std::string& text) override {
    if (text.find(" is safe: ") == text.npos || is_safe) return;
    is_tested.wait(false);
    fs::copy(from, to, fs::copy_options::recursive);
    is_safe = true;
  }

  const std::thread::id main = std::this_thread::get_id();
  const std::string from, to;
  std::atomic<bool> is_tested = false, is_safe = false;
};

using Settings = std::vector<std::string>;

/// A run of three workers in virtual time: all it evaluates is the same each time.
Config small(Settings sets, const std::string& file = "configs/synthetic_logistic.toml") {
  const Settings always = {"data.limit=300",           "data.test_limit=50",
                           "workers.devices=3 x cpu",  "workers.threads=1",
                           "workers.batch=32",         "center.order=virtual",
                           "virtual.jitter=0.3",       "virtual.transfer_seconds=0.04",
                           "evaluate.every.epochs=20", "stop.epochs=",
                           "algorithm.tau=3"};
  sets.insert(sets.begin(), always.begin(), always.end());
  return load_config(EASGD_SOURCE_ROOT "/" + file, sets);
}

std::vector<nlohmann::json> events_in(const std::string& folder, const std::string& kind) {
  std::vector<nlohmann::json> found;
  for (const auto& event : lines_of(folder + "/metrics.jsonl")) {
    if (event["event"] == kind) found.push_back(event);
  }
  return found;
}

std::vector<nlohmann::json> evaluations_in(const std::string& folder) {
  return events_in(folder, "evaluation");
}

/// Versions of events of a kind rise, so that none is there twice.
void check_rising(const std::vector<nlohmann::json>& events) {
  for (std::size_t i = 1; i < events.size(); ++i) {
    CHECK(events[i]["version"] > events[i - 1]["version"]);
  }
}

/// How often it was cut short.
int run_in_pieces(const Config& config, const std::string& folder) {
  int cuts = 0;
  Impatient first(2);
  RunResult result = train(config, folder, first);
  while (result.status() == RunStatus::interrupted) {
    REQUIRE(result.exit_code == ExitCode::interrupted);
    REQUIRE(++cuts < 200);
    Impatient next(2);
    result = resume(load_config(folder + "/config.toml", {}), folder, next);
    REQUIRE(next.warnings == "");
  }
  REQUIRE(result.status() == RunStatus::done);
  return cuts;
}

void check_same(const std::string& whole, const std::string& pieces) {
  CHECK(bytes_of(pieces + "/center.safetensors") == bytes_of(whole + "/center.safetensors"));
  if (fs::exists(whole + "/order.bin")) {
    CHECK(bytes_of(pieces + "/order.bin") == bytes_of(whole + "/order.bin"));
  }
  CHECK(evaluations_in(pieces) == evaluations_in(whole));
}

}  // namespace

TEST_CASE("a run that is cut short again and again leaves the files of the undisturbed one") {
  const TemporaryFolder folder;
  for (const std::string name : {"eamsgd", "downpour", "diloco", "admm"}) {
    CAPTURE(name);
    const Algorithm& algorithm = Registry<Algorithm>::get(name);
    Settings sets = {"algorithm.name=" + name, "stop.steps=800", "algorithm.learning_rate=0.01",
                     "algorithm.beta="};
    if (algorithm.coupling == Coupling::elastic) sets.push_back("algorithm.beta=0.6");
    if (algorithm.exchange == Exchange::synchronous) {
      sets.push_back("algorithm.exchange=synchronous");
    }
    if (algorithm.every_step) sets.push_back("algorithm.tau=1");
    const std::string whole = folder / (name + "-whole"), pieces = folder / (name + "-pieces");
    RunClient calm;
    REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
    const int cuts = run_in_pieces(small(sets), pieces);
    CHECK(cuts >= 1);
    check_same(whole, pieces);
    CHECK(evaluations_in(pieces).size() > 3);
    CHECK(int(events_in(pieces, "resume").size()) == cuts);
    CHECK(int(events_in(pieces, "checkpoint").size()) <= cuts);  // one cut may make no way
    check_rising(events_in(pieces, "checkpoint"));
    double time = 0;
    for (const auto& event : lines_of(pieces + "/metrics.jsonl")) {
      if (event["event"] != "progress") continue;
      CHECK(event["wall_time"] >= time);
      time = event["wall_time"];
    }
    CHECK(read_run(pieces).summary.value().wall_seconds >= time);
  }
}

TEST_CASE("running statistics of batch normalisation and dropout go on as well") {
  const TemporaryFolder folder;
  std::ofstream(folder / "net.toml")
      << "[[layer]]\ntype = \"conv\"\nchannels = 2\nkernel = 3\nuse_bias = false\n"
         "[[layer]]\ntype = \"batchnorm\"\n[[layer]]\ntype = \"relu\"\n"
         "[[layer]]\ntype = \"dropout\"\n[[layer]]\ntype = \"linear\"\noutputs = 10\n"
         "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  for (const std::string policy : {"average", "keep"}) {
    CAPTURE(policy);
    const Settings sets = {"network.file=" + folder / "net.toml", "network.statistics=" + policy,
                           "stop.steps=150", "workers.batch=8", "evaluate.every.epochs=3"};
    const std::string whole = folder / (policy + "-whole"), pieces = folder / (policy + "-pieces");
    RunClient calm;
    REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
    CHECK(run_in_pieces(small(sets), pieces) >= 1);
    check_same(whole, pieces);
  }
}

TEST_CASE("a rate that is cut where the loss stands still is cut at the same steps") {
  const TemporaryFolder folder;
  for (const std::string name : {"eamsgd", "downpour", "mdownpour"}) {
    CAPTURE(name);
    const bool is_elastic = name == "eamsgd";
    const Settings sets = {
        "algorithm.name=" + name,
        is_elastic ? "algorithm.beta=0.6" : "algorithm.beta=",
        name == "mdownpour" ? "algorithm.tau=1" : "algorithm.tau=3",
        "stop.steps=400",
        "algorithm.learning_rate=0.01",
        "algorithm.schedule={kind=\"plateau\",window=70,gain=0.9,cuts=[0.5,0.1]}"};
    const std::string whole = folder / (name + "-whole"), pieces = folder / (name + "-pieces");
    RunClient calm;
    REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
    CHECK(run_in_pieces(small(sets), pieces) >= 1);
    check_same(whole, pieces);
    const auto progress = events_in(whole, "progress");
    REQUIRE(!progress.empty());
    for (const auto& worker : progress.back()["workers"]) {
      CHECK(worker["learning_rate"] == doctest::Approx(0.01 * 0.5 * 0.1));
    }
  }
}

TEST_CASE("a run may go on with other threads where the bits stay the same") {
  if (usable_cores() < 2) {
    MESSAGE("skipped: one core");
    return;
  }
  const TemporaryFolder folder;
  std::ofstream(folder / "net.toml")
      << "[[layer]]\ntype = \"conv\"\nchannels = 4\nkernel = 3\n[[layer]]\ntype = \"batchnorm\"\n"
         "[[layer]]\ntype = \"linear\"\noutputs = 10\n"
         "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  const auto settings = [&](std::int64_t batch, int threads) {
    return Settings{"network.file=" + folder / "net.toml", "stop.steps=40",
                    fmt::format("workers.batch={}", batch),
                    fmt::format("workers.threads={}", threads), "evaluate.every.epochs=3"};
  };
  const std::string whole = folder / "whole", changed = folder / "changed";
  RunClient calm;
  REQUIRE(train(small(settings(256, 1)), whole, calm).status() == RunStatus::done);
  Impatient hurried(2);
  REQUIRE(train(small(settings(256, 1)), changed, hurried).status() == RunStatus::interrupted);
  REQUIRE(resume(load_config(changed + "/config.toml", {"workers.threads=2"}), changed, calm)
              .status() == RunStatus::done);
  CHECK(bytes_of(changed + "/center.safetensors") == bytes_of(whole + "/center.safetensors"));
  CHECK(evaluations_in(changed) == evaluations_in(whole));

  // 128 samples are one piece for one thread, and two for two.
  const std::string other = folder / "other";
  Impatient again(2);
  REQUIRE(train(small(settings(128, 1)), other, again).status() == RunStatus::interrupted);
  CHECK_THROWS_WITH_AS(
      resume(load_config(other + "/config.toml", {"workers.threads=2"}), other, calm),
      doctest::Contains("workers.threads: is 1 in the run that is to go on, 2 here"), KeyError);
}

TEST_CASE("best.safetensors is the center of the lowest error that was evaluated, over all parts") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", best = run + "/best.safetensors";
  const Settings sets = {"stop.steps=400", "evaluate.every.epochs=2", "algorithm.learning_rate=0.2",
                         "checkpoint.every.versions=7"};
  Impatient hurried(3);
  train(small(sets), run, hurried);
  RunClient calm;
  REQUIRE(resume(load_config(run + "/config.toml", {}), run, calm).status() == RunStatus::done);
  const auto all = evaluations_in(run);
  const auto lowest = std::ranges::min_element(
      all, {}, [](const auto& e) { return e["test_error"].template get<double>(); });
  CHECK(lowest + 1 != all.end());  // else it is the last center as well
  const double error = std::stod(safetensors::read(best).metadata.at("easgd.test_error"));
  CHECK(error <= (*lowest)["test_error"]);  // that of the cut has left no event
  const Answer answer = program("evaluate " + best);
  CAPTURE(answer.text);
  CHECK(answer.text.find(fmt::format("test error {:.4f} %", 100 * error)) != std::string::npos);
  const std::string without = folder / "without";
  REQUIRE(train(small({"stop.steps=10", "checkpoint.best=false"}), without, calm).status() ==
          RunStatus::done);
  CHECK_FALSE(fs::exists(without + "/best.safetensors"));
}

TEST_CASE("a run that is killed goes on from its last checkpoint") {
  const TemporaryFolder folder;
  const std::string whole = folder / "whole", killed = folder / "killed", log = folder / "log";
  const Settings sets = {"stop.steps=6000", "checkpoint.every.versions=100"};
  RunClient calm;
  REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
  int deaths = 0;
  std::vector<std::string> words = {whole + "/config.toml", "--out", killed};
  for (int i = 0; i < 5; ++i) {
    const pid_t child = start_training(words, log);
    for (int naps = 0; naps < 500 && !fs::exists(killed + "/checkpoints"); ++naps) sleep_ms(5);
    sleep_ms((kSanitized ? 10 : 1) * (60 + 37 * i));
    kill(child, SIGKILL);
    deaths += code_of(child) == 128 + SIGKILL;
    words = {"--resume", killed};
  }
  CHECK(deaths >= 2);
  if (!fs::exists(killed + "/summary.json")) {
    const Answer answer = program("train --resume " + killed);
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
  }
  check_same(whole, killed);
  const auto saved = events_in(killed, "checkpoint"), resumed = events_in(killed, "resume");
  REQUIRE(saved.size() > 2);
  check_rising(saved);
  CHECK(saved.back()["file"] ==
        "checkpoints/version-" + std::to_string(saved.back()["version"].get<int>()));
  CHECK(saved.back()["bytes"] ==
        fs::file_size(killed + "/" + saved.back()["file"].get<std::string>()));
  REQUIRE(!resumed.empty());  // some were killed before they had begun
  std::uint64_t lost = 0;
  for (const auto& event : resumed) lost += event["lost_versions"].get<std::uint64_t>();
  CHECK(lost > 0);
}

TEST_CASE("a run that is killed after a failure has it in its log once when it has gone on") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", killed = folder / "killed";
  Copier copier(run, killed);
  const Settings sets = {"stop.steps=200", "checkpoint.every.versions=150",
                         "workers.on_failure=restart",
                         "debug.fail=[\"worker 1 throws at step 190\"]"};
  REQUIRE(train(small(sets), run, copier).status() == RunStatus::done);
  REQUIRE(events_in(killed, "warning").size() == 1);
  RunClient calm;
  REQUIRE(resume(load_config(killed + "/config.toml", {}), killed, calm).status() ==
          RunStatus::done);
  CHECK(events_in(killed, "failure").size() == 1);
  CHECK(events_in(killed, "warning").size() == 1);
}

TEST_CASE("what can be said against a configuration is logged once, however often it goes on") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", limited = "OMP_THREAD_LIMIT=1 ";
  const std::string remark = "OMP_THREAD_LIMIT gives each worker ";  // where it has several cores
  Answer answer = program(
      "train configs/synthetic_logistic.toml --set data.limit=300 --set data.test_limit=50 "
      "--set workers.devices=cpu --set workers.threads=0 --set stop.epochs= --set stop.steps=60 "
      "--pause-at steps=10 --out " +
          run,
      limited);
  const bool is_said = answer.text.find(remark) != std::string::npos;
  for (const std::string more : {" --pause-at steps=30", ""}) {
    answer = program("train --resume " + run + more, limited);
    CAPTURE(answer.text);
    CHECK(answer.code == 0);
    CHECK((answer.text.find(remark) != std::string::npos) == is_said);
  }
  std::size_t logged = 0;
  for (const auto& warning : events_in(run, "warning")) {
    logged += warning["message"].get<std::string>().starts_with(remark);
  }
  CHECK(logged == is_said);
}

TEST_CASE("a signal leaves a checkpoint, from which the command line goes on") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", log = folder / "log";
  auto words = endless(run);
  words.insert(words.end(), {"--set", "data.limit=500", "--set", "workers.devices=2 x cpu"});
  const pid_t child = start_training(words, log);
  wait_for_file(run + "/center.safetensors");
  sleep_ms(300);
  kill(child, SIGTERM);
  REQUIRE(code_of(child) == 130);
  const RunSummary before = read_run(run).summary.value();
  check_one_line(program("train --resume " + run + " --set algorithm.tau=77"), 2,
                 "--set algorithm.tau=77: algorithm.tau: is 10 in the run that is to go on, 77 "
                 "here; only stop,");
  check_one_line(program("train --resume " + run + " --set algorithm.tau=77"), 2,
                 "--from-center starts another run from its center");
  const Answer answer =
      program("train --resume " + run + " --set stop.epochs= --set stop.seconds=" +
              std::to_string(before.wall_seconds + 0.5));
  CAPTURE(answer.text);
  REQUIRE(answer.code == 0);
  CHECK(answer.text.find("goes on from version") != std::string::npos);
  const RunSummary after = read_run(run).summary.value();
  CHECK(after.wall_seconds >= before.wall_seconds + 0.5);
  CHECK(after.steps[0] > before.steps[0]);
  CHECK(after.exchanges > before.exchanges);
  check_one_line(program("train --resume " + run), 2, "the run has come to its end");
  check_one_line(program("train --resume " + run + " --set algorithm.tau=77"), 2,
                 "algorithm.tau: is 10 in the run that is to go on, 77 here");
  check_one_line(program("train --resume " + run + " --set algorithm.tau=77"), 2,
                 "; what it has had is in config.toml");
}

TEST_CASE(
    "an end that is wanted in the last evaluation is heard, and the run can go on to its end") {
  const TemporaryFolder folder;
  const std::string whole = folder / "whole", late = folder / "late", paused = folder / "paused";
  const Settings sets = {"stop.steps=100"};
  RunClient calm;
  REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
  Late client;
  const RunResult result = train(small(sets), late, client);
  CHECK(result.status() == RunStatus::interrupted);
  CHECK(result.exit_code == ExitCode::interrupted);
  CHECK(read_run(late).summary.value().status == RunStatus::interrupted);
  CHECK(resume(load_config(late + "/config.toml", {}), late, calm).status() == RunStatus::done);
  check_same(whole, late);
  // A pause that has its evaluation is what was asked for.
  Late other;
  const PausePoint where{PauseUnit::steps, 50};
  CHECK(train(small(sets), paused, other, where).status() == RunStatus::paused);
}

TEST_CASE("a run whose last center cannot be saved leaves a checkpoint, and goes on to its end") {
  const TemporaryFolder folder;
  const std::string whole = folder / "whole", run = folder / "run";
  const Settings sets = {"stop.steps=100"};
  RunClient calm;
  REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
  Obstructed client(run + "/center.safetensors");
  const RunResult result = train(small(sets), run, client);
  CHECK(result.status() == RunStatus::failed);
  CHECK(result.exit_code == ExitCode::data);
  fs::remove(client.center);
  CHECK(resume(load_config(run + "/config.toml", {}), run, calm).status() == RunStatus::done);
  check_same(whole, run);
}

TEST_CASE("a run whose master fails leaves the last checkpoint that was whole") {
  const TemporaryFolder folder;
  const std::string whole = folder / "whole", run = folder / "run";
  // The stall leaves time to begin to write the first one. Nobody writes those of after that.
  const Settings sets = {
      "stop.steps=200", "checkpoint.every.versions=20", "workers.on_failure=restart",
      "debug.fail=[\"worker 0 stalls 0.5 s at step 50\", \"worker 1 throws at step 150\"]"};
  RunClient calm;
  REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
  Crashing client;
  CHECK(train(small(sets), run, client).status() == RunStatus::failed);
  REQUIRE(client.first != "");
  const auto last = CheckpointFolder(run).load([](const std::string&) {});
  REQUIRE(last);
  CAPTURE(client.first);
  CHECK(last->version >= 100);
  CHECK(resume(load_config(run + "/config.toml", {}), run, calm).status() == RunStatus::done);
  check_same(whole, run);
}

TEST_CASE("a test that is given up comes first when the run goes on, as if nothing had happened") {
  const TemporaryFolder folder;
  const std::string whole = folder / "whole", run = folder / "run";
  const Settings sets = {"stop.steps=800", "evaluate.batch=10"};  // five batches a test
  RunClient calm;
  REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
  Untimely client;
  CHECK(train(small(sets), run, client).status() == RunStatus::interrupted);
  CHECK(client.warnings.find("the center was saved and not tested") != std::string::npos);
  REQUIRE(evaluations_in(run).size() == 1);
  CHECK(resume(load_config(run + "/config.toml", {}), run, calm).status() == RunStatus::done);
  check_same(whole, run);
}

TEST_CASE("a checkpoint waits for no test, and has what is being tested") {
  const TemporaryFolder folder;
  const std::string whole = folder / "whole", run = folder / "run", killed = folder / "killed";
  const Settings sets = {"stop.steps=800", "evaluate.every=", "evaluate.every.versions=50",
                         "checkpoint.every.versions=50"};
  RunClient calm;
  REQUIRE(train(small(sets), whole, calm).status() == RunStatus::done);
  Tester tester(run, killed);
  REQUIRE(train(small(sets), run, tester).status() == RunStatus::done);
  REQUIRE(fs::exists(killed));
  CHECK(evaluations_in(killed).empty());
  const auto checkpoint = CheckpointFolder(killed).look([](const std::string&) {});
  REQUIRE(checkpoint);
  CHECK(checkpoint->version == 50);
  CHECK(checkpoint->get("postponed 0").counter("version") == 50);
  CHECK(checkpoint->find("postponed 1") == nullptr);
  RunClient client;
  REQUIRE(resume(load_config(killed + "/config.toml", {}), killed, client).status() ==
          RunStatus::done);
  check_same(whole, killed);
  CHECK(evaluations_in(killed).size() > 3);
}

TEST_CASE("a signal in an evaluation that takes long ends it, of the end and of a pause") {
  const TemporaryFolder folder;
  for (const std::string pause : {"", "steps=1"}) {
    CAPTURE(pause);
    const std::string run = folder / ("run" + pause), log = folder / "log";
    std::vector<std::string> words = {"configs/cifar10_resnet18.toml", "--out", run};
    for (const char* set : {"data.set=synthetic", "data.limit=64", "workers.devices=cpu",
                            "workers.threads=1", "workers.batch=4", "algorithm.name=msgd",
                            "algorithm.beta=", "stop.epochs=", "stop.steps=2",
                            "evaluate.every=", "evaluate.every.versions=1000"}) {
      words.insert(words.end(), {"--set", set});
    }
    if (!pause.empty()) words.insert(words.end(), {"--pause-at", pause});
    const pid_t child = start_training(words, log);
    // Written when the workers have ended, before the evaluation.
    wait_for_file(run + (pause.empty() ? "/summary.json" : "/order.bin"));
    kill(child, SIGTERM);
    const int code = code_of(child);
    CAPTURE(bytes_of(log));
    CHECK(code == 130);
    CHECK(bytes_of(log).find("the center was saved and not tested") != std::string::npos);
    CHECK(read_run(run).summary.value().status == RunStatus::interrupted);
    CHECK_FALSE(fs::is_empty(run + "/checkpoints"));
  }
}

TEST_CASE("a run that is over and was given another end goes on again if it was killed then") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", log = folder / "log";
  RunClient calm;
  const Settings sets = {"center.order=round_robin", "stop.steps=300",
                         "checkpoint.every.versions=50"};
  REQUIRE(train(small(sets), run, calm).status() == RunStatus::done);
  const pid_t child = start_training({"--resume", run, "--set", "stop.steps=1000000"}, log);
  for (int naps = 0; naps < 1000 && events_in(run, "resume").empty(); ++naps) sleep_ms(10);
  sleep_ms(100);
  kill(child, SIGKILL);
  REQUIRE(code_of(child) == 128 + SIGKILL);
  CHECK_FALSE(fs::exists(run + "/summary.json"));
  const Answer answer = program("train --resume " + run + " --set stop.steps=2000");
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  check_one_line(program("train --resume " + run), 2, "the run has come to its end");
}

TEST_CASE("an end that lies before that of a run which is over is refused, and costs nothing") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  RunClient calm;
  REQUIRE(
      train(small({"center.order=round_robin", "stop.steps=300", "checkpoint.every.versions=50"}),
            run, calm)
          .status() == RunStatus::done);
  const std::string center = bytes_of(run + "/center.safetensors"),
                    summary = bytes_of(run + "/summary.json");
  check_one_line(program("train --resume " + run + " --set stop.steps=299"), 2,
                 "stop.steps: gives worker 0 299 steps; the run has come to its end after 300, "
                 "expected more");
  check_one_line(program("train --resume " + run + " --set stop.steps= --set stop.epochs=1"), 2,
                 "stop.epochs: gives worker 0 ");
  check_one_line(program("train --resume " + run + " --set stop.seconds=0.001"), 2,
                 "stop.seconds: is 0.001; the run has come to its end after ");
  CHECK(bytes_of(run + "/center.safetensors") == center);
  CHECK(bytes_of(run + "/summary.json") == summary);
  CHECK(program("train --resume " + run + " --set stop.steps=301").code == 0);
}

TEST_CASE("a run whose checkpoint cannot be taken up keeps its end, and the log of it") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", log = run + "/metrics.jsonl";
  const std::vector<std::string> files = {log, run + "/summary.json", run + "/config.toml"};
  RunClient calm;
  REQUIRE(
      train(small({"center.order=round_robin", "stop.steps=300", "checkpoint.every.versions=50"}),
            run, calm)
          .status() == RunStatus::done);
  std::ofstream(log, std::ios::app) << "somebody's own line\n";
  const CheckpointFolder checkpoints(run);
  const Checkpoint sound = checkpoints.look([](const std::string&) {}).value();
  Checkpoint broken = sound;
  broken.sections.at("worker 1").counters.at("worker.clock") = {0};
  checkpoints.save(broken, 1);
  std::vector<std::string> before;
  for (const std::string& file : files) before.push_back(bytes_of(file));
  const std::string further = "train --resume " + run + " --set stop.steps=400";
  const Answer refusal = program(further);
  CHECK(refusal.code == 3);
  CHECK(refusal.text.find("section \"worker 1\": \"worker.clock\": expected ") !=
        std::string::npos);
  for (std::size_t i = 0; i < files.size(); ++i) CHECK(bytes_of(files[i]) == before[i]);
  checkpoints.save(sound, 1);
  CHECK(program(further).code == 0);
  CHECK(bytes_of(log).find("somebody's own line\n") != std::string::npos);
}

TEST_CASE("whatever a checkpoint says of what a run has beside its team, it is no bug") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", killed = folder / "killed", tried = folder / "tried";
  Tester tester(run, killed);
  REQUIRE(train(small({"stop.steps=60", "evaluate.every=", "evaluate.every.versions=25",
                       "checkpoint.every.versions=25", "guard.action=stop"}),
                run, tester)
              .status() == RunStatus::done);
  const Checkpoint sound = CheckpointFolder(killed).look([](const std::string&) {}).value();
  const Config config = load_config(killed + "/config.toml", {});
  std::size_t refused = 0, ended = 0;
  for (const std::string section : {"postponed 0", "clock", "evaluations", "guard", "run"}) {
    CAPTURE(section);
    const std::vector<Change> changes = changes_of(sound.get(section));
    for (std::size_t i = 0; i < changes.size(); ++i) {
      CAPTURE(i);
      fs::remove_all(tried);
      fs::copy(killed, tried, fs::copy_options::recursive);
      Checkpoint checkpoint = sound;
      changes[i](checkpoint.sections.at(section));
      CheckpointFolder(tried).save(checkpoint, 1);
      RunClient client;
      try {
        const RunResult result = resume(config, tried, client);
        if (result.failure) std::rethrow_exception(result.failure);
        ++ended;
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > 20);
  CHECK(ended > 20);
}

TEST_CASE("of a run that is over only what helps is advised") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", replay = folder / "replay";
  RunClient calm;
  REQUIRE(train(small({"stop.steps=300", "checkpoint.every.versions=50"}), run, calm).status() ==
          RunStatus::done);
  check_one_line(program("train --resume " + run), 2,
                 "planned in virtual time; --from-center starts another run from its last");
  REQUIRE(train(load_config(run + "/config.toml",
                            {"center.order=replay", "center.replay=" + run + "/order.bin"}),
                replay, calm)
              .status() == RunStatus::done);
  check_one_line(program("train --resume " + replay), 2, "its end, that of its recording");
}

TEST_CASE("a run that a failure has ended goes on with another policy, or without the fault") {
  const TemporaryFolder folder;
  const std::string again = folder / "again";
  for (const std::string change :
       {"workers.on_failure=restart", "workers.on_failure=continue", "debug.fail=[]"}) {
    CAPTURE(change);
    const std::string run = folder / change;
    RunClient calm;
    const Config config = small({"stop.steps=100", "workers.on_failure=stop",
                                 "debug.fail=[\"worker 1 throws at step 40\"]"});
    REQUIRE(train(config, run, calm).status() == RunStatus::failed);
    CHECK(resume(load_config(run + "/config.toml", {}), run, calm).status() == RunStatus::failed);
    const RunResult result = resume(load_config(run + "/config.toml", {change}), run, calm);
    CHECK(result.status() == RunStatus::done);
    CHECK((result.summary.failed_workers > 0) == (change == "workers.on_failure=continue"));
  }
  const std::string recorded = folder / "debug.fail=[]/order.bin";
  Impatient hurried(0);
  const Config replay = load_config(folder / "debug.fail=[]/config.toml",
                                    {"center.order=replay", "center.replay=" + recorded});
  REQUIRE(train(replay, again, hurried).status() == RunStatus::interrupted);
  check_one_line(program("train --resume " + again + " --set guard.action=stop"), 2,
                 "guard.action: is \"none\" in the run that is to go on, \"stop\" here");
}

TEST_CASE("another run starts from the center of one, with keys that a resume refuses") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", other = folder / "other";
  Impatient hurried(3);
  REQUIRE(train(small({"stop.steps=100000"}), run, hurried).status() == RunStatus::interrupted);
  const auto before = evaluations_in(run);
  const std::string command = "train --resume " + run + " --from-center --out ";
  const std::set<std::string> kept = {"version-" + std::to_string(~0u), "version-1.new"};
  for (const std::string& name : kept) std::ofstream(run + "/checkpoints/" + name) << "half";
  // The one letter of each worker is its start, so that the end is the start.
  const Answer answer = program(command + other +
                                " --set algorithm.learning_rate=0.02 --set algorithm.tau=7 "
                                "--set stop.steps=5");
  CAPTURE(answer.text);
  REQUIRE(answer.code == 0);
  CHECK(answer.text.find("not carried over: replicas and momentum") != std::string::npos);
  CHECK(
      answer.text.find("is not a checkpoint of this program; the checkpoint before it is taken") !=
      std::string::npos);
  for (const std::string& name : kept) CHECK(fs::exists(run + "/checkpoints/" + name));
  const Checkpoint checkpoint = CheckpointFolder(run).load([](const std::string&) {}).value();
  const auto& center = checkpoint.get("center").vectors.at("center");
  const auto tensors = safetensors::read(other + "/center.safetensors").tensors;
  const auto weight = std::ranges::find_if(
      tensors, [](const auto& tensor) { return tensor.first.ends_with(".weight"); });
  REQUIRE(weight != tensors.end());
  const std::vector<float>& values = weight->second.values;
  CHECK(std::equal(values.begin(), values.end(), center.begin()));
  CHECK(read_run(other).summary.value().steps == std::vector<std::uint64_t>(3, 5));
  CHECK(evaluations_in(run) == before);
  check_one_line(program("train --resume " + run + " --out " + folder / "x"), 2,
                 "--out: a run goes");
  check_one_line(program(command + folder / "x" + " --set network.init=" + run), 2,
                 "expected no network.init with --from-center");
  CHECK(program("train --from-center " + run + "/config.toml").code == 2);
  std::ofstream(folder / "net.toml") << "[[layer]]\ntype = \"linear\"\noutputs = 12\n"
                                        "[[layer]]\ntype = \"relu\"\n"
                                        "[[layer]]\ntype = \"linear\"\noutputs = 10\n"
                                        "[[layer]]\ntype = \"softmax_cross_entropy\"\n";
  const Answer refused =
      program(command +
              folder / "y --quiet --set network.layer= --set network.file=" + folder / "net.toml");
  CAPTURE(refused.text);
  CHECK(refused.code == 3);
  CHECK(refused.text.find("has no tensor \"linear1.weight\" of 12x3072") != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "y"));
}

TEST_CASE("of a whole checkpoint that does not fit, the section is named") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  Impatient hurried(0);
  REQUIRE(train(small({"stop.steps=100000"}), run, hurried).status() == RunStatus::interrupted);
  const CheckpointFolder checkpoints(run);
  const Checkpoint sound = checkpoints.load([](const std::string&) {}).value();
  for (const std::string section : {"worker 2", "clock", "evaluations", "guard", "order"}) {
    CAPTURE(section);
    Checkpoint other = sound;
    other.sections.at(section) = {.counters = {{"worker.clock", {}}}};
    checkpoints.save(other, 1);
    check_one_line(program("train --quiet --resume " + run), 3,
                   fmt::format("{}: the checkpoint of version {}: section \"{}\": ", run,
                               sound.version, section));
  }
  checkpoints.save(sound, 1);
  CHECK(resume(load_config(run + "/config.toml", {}), run, hurried).status() ==
        RunStatus::interrupted);
}

TEST_CASE("what cannot go on is told in one line") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  check_one_line(program("train --resume " + folder / "nowhere"), 2,
                 "nowhere: is no folder; expected the folder of a run");
  check_one_line(program("train"), 2, "config");
  Impatient hurried(0);
  REQUIRE(train(small({"stop.steps=100000", "checkpoint.keep=0"}), run, hurried).status() ==
          RunStatus::interrupted);
  CHECK_FALSE(fs::exists(run + "/checkpoints"));
  const std::string advice = "; --set network.init=" + run + "/center.safetensors starts another";
  check_one_line(program("train --resume " + run), 3, "has no checkpoint to go on from");
  check_one_line(program("train --resume " + run), 3, advice);
  check_one_line(program("train --from-center --resume " + run), 3, advice);
  const std::string other = folder / "other";
  REQUIRE(train(small({"stop.steps=100000"}), other, hurried).status() == RunStatus::interrupted);
  for (const auto& entry : fs::directory_iterator(other + "/checkpoints")) {
    fs::resize_file(entry.path(), fs::file_size(entry.path()) - 1);
  }
  CHECK(program("train --resume " + other).code == 3);
  CHECK(program("train --resume " + other).text.find("checkpoint") != std::string::npos);
}
