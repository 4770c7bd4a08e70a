// easgd sweep, run by a test as a user runs it: whatever happens to it, the same command goes on.

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <regex>
#include <set>

#include "program.h"
#include "runs/manifest.h"
#include "temporary_folder.h"

using namespace easgd;
using namespace easgd::testing;
namespace fs = std::filesystem;

namespace {

/// Tiny runs of two workers in virtual time.
const std::string kBase = R"(
[data]
set = "synthetic"
samples = 600
[algorithm]
name = "easgd"
beta = 0.9
[workers]
devices = "2 x cpu"
batch = 20
[center]
order = "virtual"
[virtual]
step_seconds = 1
[stop]
epochs = 1
[[network.layer]]
type = "linear"
outputs = 10
[[network.layer]]
type = "softmax_cross_entropy"
)";

/// A study of `axes` in a folder of its own.
class Study {
 public:
  explicit Study(const std::string& rest) {
    std::ofstream(base()) << kBase;
    rewrite(rest);
  }
  void rewrite(const std::string& rest) const {
    const bool has_base = rest.starts_with("base");
    std::ofstream(file()) << (has_base ? "" : "base = \"base.toml\"\n") + rest;
  }
  /// Of another data set, without keys of the built-in one.
  void rebase(const std::string& set) const {
    std::string text = kBase;
    text.erase(text.find("samples = 600\n"), 14);
    std::ofstream(base()) << text.replace(text.find("synthetic"), 9, set);
  }
  std::string base() const { return folder_ / "base.toml"; }
  std::string file() const { return folder_ / "study.toml"; }
  fs::path out() const { return folder_.path() / "sweep"; }
  std::string log() const { return folder_ / "log.txt"; }

  /// `before` is what the shell does first.
  Answer run(const std::string& more = "", const std::string& before = "") const {
    return program("sweep " + file() + " --quiet --out " + out().string() + " " + more, before);
  }
  pid_t start() const { return start_program({"sweep", file(), "--out", out().string()}, log()); }

  SweepRecord record() const { return read_sweep(out()); }
  std::vector<PlannedRun> runs() const { return record().plan->runs; }
  std::vector<RunState> states() const {
    const SweepRecord all = record();
    std::vector<RunState> states;
    for (const PlannedRun& run : all.plan->runs) {
      states.push_back(all.state_of(run.identity).state);
    }
    return states;
  }
  /// How often each run has begun.
  std::map<std::string, int> beginnings() const {
    std::map<std::string, int> count;
    for (const auto& line : lines_of((out() / "manifest.jsonl").string())) {
      if (line.value("state", "") == "running") ++count[line.at("identity")];
    }
    return count;
  }

 private:
  TemporaryFolder folder_;
};

const std::string kConvolution =
    "network.layer = [{type = \"conv\", channels = 2, kernel = 5}, {type = \"linear\", outputs = "
    "10}, {type = \"softmax_cross_entropy\"}]\n";
const std::string kSix = "seeds = 2\n[axes]\nalgorithm.tau = [1, 4, 16]\n";

/// 60 training and 60 test images of 2x2 pixels.
void write_tiny_mnist(const TemporaryFolder& folder) {
  using namespace std::string_literals;
  for (const char* name : {"train", "t10k"}) {
    std::ofstream(folder / name + "-images-idx3-ubyte")
        << "\0\0\x08\x03\0\0\0\x3c\0\0\0\2\0\0\0\2"s + std::string(240, 'x');
    std::ofstream(folder / name + "-labels-idx1-ubyte")
        << "\0\0\x08\x01\0\0\0\x3c"s + std::string(60, '\x05');
  }
}

std::vector<pid_t> children_of(pid_t process) {
  const std::string name = std::to_string(process);
  std::ifstream file("/proc/" + name + "/task/" + name + "/children");
  std::vector<pid_t> children;
  for (pid_t child; file >> child;) children.push_back(child);
  return children;
}

/// The table that a sweep prints in the end.
std::string table_of(const Answer& answer) {
  return answer.text.substr(0, answer.text.find("study:"));
}

std::size_t count(const std::vector<RunState>& states, RunState state) {
  return std::size_t(std::ranges::count(states, state));
}

}  // namespace

TEST_CASE("a sweep runs to its end, and the same command again repeats nothing") {
  const Study study(kSix);
  const Answer first = study.run();
  CAPTURE(first.text);
  CHECK(first.code == 0);
  CHECK(first.text.find("study: 6 of 6 runs done, 0 failed, 0 to do") != std::string::npos);
  CHECK(count(study.states(), RunState::done) == 6);
  const std::string lines = bytes_of((study.out() / "manifest.jsonl").string());
  const Answer again = study.run();
  CHECK(again.text == first.text);
  CHECK(bytes_of((study.out() / "manifest.jsonl").string()) == lines);
  for (const PlannedRun& run : study.runs()) {
    CHECK(fs::exists(study.out() / run.folder / "summary.json"));
    CHECK(fs::exists(study.out() / "configs" / (run.identity + ".toml")));
  }
  CHECK(bytes_of((study.out() / "sweep.toml").string()) == bytes_of(study.file()));
}

TEST_CASE("a run of a sweep is the run that its configuration stands for") {
  const Study study("[axes]\nalgorithm.tau = [4]\n");
  REQUIRE(study.run().code == 0);
  const PlannedRun run = study.runs().at(0);
  const auto identity_in = [](const std::string& folder) {
    return nlohmann::json::parse(bytes_of(folder + "/summary.json")).at("identity");
  };
  CHECK(identity_in((study.out() / run.folder).string()) == run.identity);
  const std::string alone = (study.out() / "alone").string();
  const std::string config = (study.out() / "configs" / (run.identity + ".toml")).string();
  REQUIRE(program("train " + config + " --out " + alone).code == 0);
  CHECK(bytes_of(alone + "/center.safetensors") ==
        bytes_of((study.out() / run.folder / "center.safetensors").string()));
}

TEST_CASE("a run that no sweep has made has the identity that a sweep would give it") {
  const Study study("[axes]\nworkers.devices = [\"auto\", \"2 x cpu\"]\n");
  REQUIRE(study.run().code == 0);
  const TemporaryFolder folder;
  for (const PlannedRun& run : study.runs()) {
    const std::string alone = folder / run.identity;
    const std::string devices = run.values.at("workers.devices");
    const Answer answer = program("train " + study.base() + " --quiet --set workers.threads=1 " +
                                  "--set \"workers.devices=" + devices + "\" --out " + alone);
    CAPTURE(answer.text);
    REQUIRE(answer.code == 0);
    CHECK(nlohmann::json::parse(bytes_of(alone + "/summary.json")).at("identity") == run.identity);
  }
}

TEST_CASE("a line that asks for nothing is answered, and the next is read") {
  const Study study(
      "method = \"random\"\nruns = 3\n[axes]\nalgorithm.tau = [1, 4, 16]\n"
      "workers.batch = {min = 8, max = 32}\n");
  const std::string lines =
      R"({{{\n[1]\n{"run":"nobody"}\n{"plan":"one"}\n)"
      R"({"plan":1,"points":[1.7,8]}\n{"plan":2,"points":[3,8]}\n{"plan":3,"points":[1]}\n)"
      R"({"plan":4,"group":7,"points":[1,8]}\n{"plan":5,"points":[2,8.5]}\n)";
  const Answer answer = study.run("--ask", "printf '" + lines + "' | ");
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  std::vector<std::string> refused;
  std::map<int, nlohmann::json> planned;
  std::istringstream output(answer.text);
  for (std::string line; std::getline(output, line);) {
    if (!line.starts_with('{')) continue;
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") == "refused") refused.push_back(event.at("line"));
    if (event.at("event") == "planned") planned[event.at("plan")] = event;
  }
  CHECK(refused ==
        std::vector<std::string>{"{{{", "[1]", R"({"run":"nobody"})", R"({"plan":"one"})"});
  REQUIRE(planned.size() == 5);
  CHECK(planned[1].at("refused") ==
        "points: algorithm.tau: expected a whole number of 0..2; found 1.7");
  for (const int plan : {2, 3, 4}) CHECK(planned[plan].contains("refused"));
  CHECK_FALSE(planned[5].contains("refused"));
  CHECK(planned[5].at("runs").size() == 1);
}

TEST_CASE("a changed sweep file adds runs and leaves others out, which stay on disk") {
  const Study study(kSix);
  REQUIRE(study.run().code == 0);
  const SweepRecord before = study.record();
  study.rewrite("seeds = 2\n[axes]\nalgorithm.tau = [4, 2]\n");
  const Answer changed = program("sweep " + study.file() + " --out " + study.out().string());
  CAPTURE(changed.text);
  CHECK(changed.code == 0);
  CHECK(changed.text.find("2 runs added, 4 left out") != std::string::npos);
  CHECK(changed.text.find("study: 4 of 4 runs done") != std::string::npos);
  for (const PlannedRun& run : before.plan->runs) {
    CHECK(fs::exists(study.out() / run.folder / "summary.json"));
  }
  study.rewrite(kSix);
  REQUIRE(study.run().code == 0);
  for (const auto& [identity, times] : study.beginnings()) CHECK(times == 1);
}

TEST_CASE("one broken combination is tried once more, told, and costs nothing else") {
  // What a convolution makes of images that are too small is found when the run begins.
  const Study study("seeds = 2\n[axes]\ndata.crop = [0, 4]\n[set]\n" + kConvolution);
  const Answer answer = program("sweep " + study.file() + " --out " + study.out().string());
  CAPTURE(answer.text);
  CHECK(answer.code == 1);
  CHECK(answer.text.find("study: 2 of 4 runs done, 2 failed, 0 to do") != std::string::npos);
  CHECK(answer.text.find("tried once more") != std::string::npos);
  CHECK(count(study.states(), RunState::failed) == 2);
  const SweepRecord record = study.record();
  for (const PlannedRun& run : record.plan->runs) {
    const StateEvent state = record.state_of(run.identity);
    if (run.values.at("data.crop") == "0") {
      CHECK(state.state == RunState::done);
      continue;
    }
    CHECK(state.attempt == 2);
    CHECK(state.exit_code == 2);
    CHECK(state.reason.find("kernel") != std::string::npos);
  }
  CHECK(study.run().code == 1);
  for (const PlannedRun& run : record.plan->runs) {
    CHECK(study.beginnings()[run.identity] == (run.values.at("data.crop") == "0" ? 1 : 4));
  }
}

TEST_CASE("Ctrl-C ends a sweep with exit code 130, its runs saved, and it goes on") {
  const Study study("[axes]\nalgorithm.tau = [1, 4, 16]\n[set]\nstop.epochs = 3000\n");
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  sleep_ms(500);
  kill(sweep, SIGINT);
  CHECK(code_of(sweep) == 130);
  CHECK(count(study.states(), RunState::interrupted) >= 1);
  CHECK(count(study.states(), RunState::running) == 0);
  CHECK(bytes_of(study.log()).find("stopping") != std::string::npos);
  study.rewrite("[axes]\nalgorithm.tau = [1, 4, 16]\n");
  CHECK(study.run().code == 0);
}

TEST_CASE(
    "a run that was interrupted goes on from its checkpoint, which is taken away in the end") {
  const Study study(
      "[axes]\nalgorithm.tau = [1, 4]\n[set]\ncenter.order = \"free\"\nstop.epochs = 1e6\n"
      "stop.seconds = 2\n");
  const auto checkpoints = [&] {
    std::vector<fs::path> found;
    for (const auto& run : fs::directory_iterator(study.out() / "runs")) {
      if (fs::exists(run.path() / "checkpoints")) found.push_back(run.path());
    }
    return found;
  };
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  const std::string first = study.beginnings().begin()->first;
  wait_for_file((study.out() / "runs" / first / "center.safetensors").string());
  kill(sweep, SIGINT);
  REQUIRE(code_of(sweep) == 130);
  const std::vector<fs::path> begun = checkpoints();
  REQUIRE(!begun.empty());
  REQUIRE(study.run().code == 0);
  for (const fs::path& run : begun) {
    const fs::path log = study.out() / "logs" / (run.filename().string() + ".txt");
    CHECK(bytes_of(log.string()).find("goes on from version") != std::string::npos);
  }
  CHECK(checkpoints().empty());
  CHECK(count(study.states(), RunState::done) == 2);
}

TEST_CASE("two of the same sweep at once: the second says so") {
  const Study study("[axes]\nalgorithm.tau = [1, 4]\n[set]\nstop.epochs = 3000\n");
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  check_one_line(study.run(), 2, "a sweep is at work in it");
  kill(sweep, SIGTERM);
  code_of(sweep);
}

TEST_CASE("killed at twenty moments, alone or with its runs, it ends with the same table") {
  const std::string axes =
      "seeds = 2\nadapt = true\n[axes]\nalgorithm.name = [\"easgd\", \"eamsgd\", \"downpour\", "
      "\"allreduce\"]\nalgorithm.tau = [1, 4, 16]\n[set]\nstop.epochs = 6\n";
  const Study undisturbed(axes), killed(axes);
  const Answer expected = undisturbed.run();
  REQUIRE(expected.code == 0);
  std::mt19937 random(7);
  int deaths = 0;
  for (int i = 0; i < 20; ++i) {
    const pid_t sweep = killed.start();
    sleep_ms(int(20 + random() % 600));
    kill(i % 2 == 0 ? sweep : -sweep, SIGKILL);
    deaths += code_of(sweep) == 128 + SIGKILL;
  }
  CHECK(deaths == 20);
  const Answer answer = killed.run();
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(table_of(answer) == table_of(expected));
  CHECK(count(killed.states(), RunState::done) == undisturbed.states().size());
  for (const PlannedRun& run : undisturbed.runs()) {
    CHECK(bytes_of((killed.out() / run.folder / "center.safetensors").string()) ==
          bytes_of((undisturbed.out() / run.folder / "center.safetensors").string()));
  }
}

namespace {

/// Nine runs, of which a third is to go on at 1 epoch and at 3.
const std::string kHalving = "early_stop = {first = {epochs = 1}}\n";
const std::string kNine =
    "[axes]\nalgorithm.tau = [1, 4, 16]\nalgorithm.learning_rate = [0.001, 0.01, 0.1]\n[set]\n"
    "stop.epochs = 9\n";

std::size_t count_checkpoints(const Study& study) {
  std::size_t found = 0;
  for (const auto& run : fs::directory_iterator(study.out() / "runs")) {
    found += fs::exists(run.path() / "checkpoints") ? 1 : 0;
  }
  return found;
}

}  // namespace

TEST_CASE("halving lets the best go on, and what comes to its end is the run of the whole grid") {
  const Study grid(kNine), halved(kHalving + kNine);
  REQUIRE(grid.run().code == 0);
  const Answer answer = halved.run();
  CAPTURE(answer.text);
  REQUIRE(answer.code == 0);
  const std::size_t done = count(halved.states(), RunState::done);
  CHECK(done >= 1);
  CHECK(done <= 3);
  CHECK(count(halved.states(), RunState::stopped_early) == 9 - done);
  CHECK(answer.text.find(" stopped early, 0 to do; ") != std::string::npos);
  CHECK(count_checkpoints(halved) == 0);
  const SweepRecord record = halved.record();
  for (const PlannedRun& run : record.plan->runs) {
    const StateEvent state = record.state_of(run.identity);
    const std::string mine = (halved.out() / run.folder).string();
    const auto summary = nlohmann::json::parse(bytes_of(mine + "/summary.json"));
    CHECK(summary.at("identity") == run.identity);
    if (state.state == RunState::done) {
      CHECK(bytes_of(mine + "/center.safetensors") ==
            bytes_of((grid.out() / run.folder / "center.safetensors").string()));
      continue;
    }
    // It has rested where the manifest says, with what its own folder says.
    CHECK(summary.at("status") == "paused");
    CHECK(summary.at("paused_at") == state.until);
    CHECK(summary.at("test_error") == state.result.value().test_error);
  }
  const std::string lines = bytes_of((halved.out() / "manifest.jsonl").string());
  CHECK(halved.run().text == answer.text);
  CHECK(bytes_of((halved.out() / "manifest.jsonl").string()) == lines);
}

TEST_CASE("halving that is killed at twenty moments ends with the same table") {
  const std::string file = "seeds = 2\n" + kHalving + kNine;
  const Study undisturbed(file), killed(file);
  const Answer expected = undisturbed.run();
  REQUIRE(expected.code == 0);
  std::mt19937 random(11);
  int deaths = 0;
  for (int i = 0; i < 20; ++i) {
    const pid_t sweep = killed.start();
    sleep_ms(int(20 + random() % 600));
    kill(i % 2 == 0 ? sweep : -sweep, SIGKILL);
    deaths += code_of(sweep) == 128 + SIGKILL;
  }
  CHECK(deaths >= 10);
  const Answer answer = killed.run();
  CAPTURE(answer.text);
  CAPTURE(expected.text);
  CHECK(answer.code == 0);
  CHECK(table_of(answer) == table_of(expected));
  CHECK(killed.states() == undisturbed.states());
  CHECK(count_checkpoints(killed) == 0);
}

TEST_CASE("runs that were stopped early come to their end when the sweep file lets them") {
  const Study study(kHalving + kNine);
  REQUIRE(study.run().code == 0);
  study.rewrite("early_stop = {eta = 2, first = {epochs = 1}}\n" + kNine);
  const Answer wider = program("sweep " + study.file() + " --out " + study.out().string());
  CAPTURE(wider.text);
  CHECK(wider.code == 0);
  CHECK(wider.text.find("the rungs are others than before") != std::string::npos);
  const std::size_t stopped = count(study.states(), RunState::stopped_early);
  CHECK(stopped < 9);
  study.rewrite(kNine);
  const Answer all = program("sweep " + study.file() + " --out " + study.out().string());
  CAPTURE(all.text);
  CHECK(all.code == 0);
  CHECK(count(study.states(), RunState::done) == 9);
  CHECK(table_of(all).find(" stopped early at ") == std::string::npos);
  // Now everything is known: nothing is run, and nothing is taken back.
  study.rewrite(kHalving + kNine);
  const std::map<std::string, int> before = study.beginnings();
  CHECK(study.run().code == 0);
  CHECK(study.beginnings() == before);
  CHECK(count(study.states(), RunState::done) == 9);
}

namespace {

/// The first evaluation of a run that has come so far; null if there is none.
nlohmann::json evaluation_at(const fs::path& run, double epoch) {
  if (!fs::exists(run / "metrics.jsonl")) return {};
  for (const auto& line : lines_of((run / "metrics.jsonl").string())) {
    if (line.at("event") == "evaluation" && line.at("epoch") >= epoch) return line;
  }
  return {};
}

}  // namespace

TEST_CASE("a run that was interrupted far behind a rung counts there with what it was there") {
  const std::string axes =
      "concurrent = 1\n[axes]\nalgorithm.learning_rate = [0.001, 0.0001, 0.01]\n[set]\n"
      "stop.epochs = 100\nevaluate.every.epochs = 1\ndata.test_limit = 500\n";
  const std::string halving = "early_stop = {first = {epochs = 2}, eta = 15}\n";  // and 30
  const Study undisturbed(halving + axes), study(axes);
  REQUIRE(undisturbed.run().code == 0);
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(5);
  const std::string id = study.runs().at(0).identity;
  const fs::path run = study.out() / "runs" / id;
  while (evaluation_at(run, 5).is_null()) sleep_ms(5);
  kill(sweep, SIGINT);
  REQUIRE(code_of(sweep) == 130);
  REQUIRE(count(study.states(), RunState::interrupted) == 1);
  const double there = evaluation_at(run, 2).at("test_error");
  study.rewrite(halving + axes);
  const Answer answer = program("sweep " + study.file() + " --out " + study.out().string());
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(answer.text.find(" has passed epochs=2 before: error ") != std::string::npos);
  const SweepRecord record = study.record(), expected = undisturbed.record();
  CHECK(record.rungs.at(id).at("epochs=2").test_error == there);
  CHECK(study.states() == undisturbed.states());
  for (const auto& [identity, rungs] : expected.rungs) {
    for (const auto& [until, result] : rungs) {
      CAPTURE(until);
      CHECK(record.rungs.at(identity).at(until).test_error == result.test_error);
    }
  }
}

TEST_CASE("runs that are done leave those that are added their chance at a rung") {
  const auto file = [](const std::string& first, const std::string& rates) {
    return "concurrent = 1\n" + first + "[axes]\nalgorithm.learning_rate = [" + rates +
           "]\n[set]\nstop.epochs = 9\nevaluate.every.epochs = 1\n";
  };
  const std::string slow = "0.001, 0.0012, 0.0014",
                    fast = ", 0.01, 0.012, 0.015, 0.02, 0.025, 0.03";
  const Study study(file("", slow));
  REQUIRE(study.run().code == 0);
  study.rewrite(file(kHalving, slow + fast));
  const Answer answer = study.run();
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  const SweepRecord record = study.record();
  std::size_t gone_on = 0;
  double best_end = 1, best_start = 1;  // of those that were added; of the others
  for (const PlannedRun& run : record.plan->runs) {
    const fs::path folder = study.out() / run.folder;
    if (slow.find(run.values.at("algorithm.learning_rate")) != std::string::npos) {
      best_start = std::min<double>(best_start, evaluation_at(folder, 1).at("test_error"));
      best_end = std::min<double>(best_end, evaluation_at(folder, 8.5).at("test_error"));
      continue;
    }
    const auto& rungs = record.rungs.at(run.identity);
    // Nobody is so far after one pass as the others after nine, but farther than those after one.
    CHECK(rungs.at("epochs=1").test_error > best_end);
    CHECK(rungs.at("epochs=1").test_error < best_start);
    gone_on += rungs.contains("epochs=3");
  }
  CHECK(gone_on >= 3);
}

TEST_CASE("early stopping that is added to a grid is not told to take anything back") {
  const std::string axes = "[axes]\nalgorithm.tau = [1, 4]\n[set]\nstop.epochs = 2\n";
  const Study study(axes);
  REQUIRE(study.run().code == 0);
  study.rewrite(kHalving + axes);
  const Answer answer = program("sweep " + study.file() + " --out " + study.out().string());
  CAPTURE(answer.text);
  CHECK(answer.text.find("the sweep is another than before") != std::string::npos);
  CHECK(answer.text.find("begin again") == std::string::npos);
}

TEST_CASE("what a run has left that was killed after its end is taken away") {
  const Study study("");
  REQUIRE(study.run().code == 0);
  const fs::path left = study.out() / study.runs().at(0).folder / "checkpoints";
  fs::create_directories(left);
  std::ofstream(left / "version-9") << "a checkpoint";
  CHECK(study.run().code == 0);
  CHECK_FALSE(fs::exists(left));
}

TEST_CASE(
    "a run that is stopped on its way, by another plan, is told to have come where it paused") {
  const std::string end = "[set]\nstop.epochs = 120\n";
  const Study study("early_stop = {first = {epochs = 1}, eta = 100}\n[axes]\n" +
                    std::string("algorithm.learning_rate = [0.00001, 0.00002]\n") + end);
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  const auto all = [&study] {
    int sum = 0;
    for (const auto& [identity, times] : study.beginnings()) sum += times;
    return sum;
  };
  while (all() < 3) sleep_ms(5);  // the better one is on its way to 100 epochs
  kill(-sweep, SIGKILL);
  CHECK(code_of(sweep) == 128 + SIGKILL);
  study.rewrite(
      "early_stop = {first = {epochs = 1}, eta = 4}\n[axes]\nalgorithm.learning_rate = [0.00001, "
      "0.00002, 0.01, 0.005]\n" +
      end);
  const Answer answer = study.run();
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(count(study.states(), RunState::stopped_early) == 3);
  const SweepRecord record = study.record();
  for (const auto& [identity, state] : record.states) {
    if (state.state != RunState::stopped_early) continue;
    REQUIRE(state.result);
    CHECK(record.rungs.at(identity).contains(state.until));
  }
  CHECK(answer.text.find("nan") == std::string::npos);
}

TEST_CASE("another rule of early stopping is told; how long the rest takes is not") {
  const std::string axes = "\n[axes]\nalgorithm.tau = [1, 4]\n[set]\nstop.epochs = 2\n";
  const Study study("early_stop = {first = {epochs = 1}}" + axes);
  const auto told = [&study] {
    return program("sweep " + study.file() + " --out " + study.out().string()).text;
  };
  CHECK(told().find("than before") == std::string::npos);
  CHECK(study.run("--dry-run").text.find("2 runs; nothing is left to do") != std::string::npos);
  for (const std::string change : {"eta = 4", "eta = 4, metric = \"test_loss\""}) {
    study.rewrite("early_stop = {first = {epochs = 1}, " + change + "}" + axes);
    CHECK(told().find("; runs are compared by another rule than before") != std::string::npos);
    CHECK(told().find("than before") == std::string::npos);
  }
  CHECK(study.record().plan->eta == 4);
  CHECK(study.record().plan->metric == "test_loss");
  study.rewrite("early_stop = {first = {epochs = 1}}\n[axes]\nalgorithm.tau = [1, 4, 16]\n" +
                std::string("[set]\nstop.epochs = 2\n"));
  CHECK(study.run("--dry-run").text.find("3 runs; how long the rest takes is not known") !=
        std::string::npos);
}

TEST_CASE("a combination that fails at a rung costs nothing else") {
  const Study study(kHalving + "[axes]\ndata.crop = [0, 4]\nalgorithm.tau = [1, 4]\n[set]\n" +
                    "stop.epochs = 2\n" + kConvolution);
  const Answer answer = study.run();
  CAPTURE(answer.text);
  CHECK(answer.code == 1);
  CHECK(count(study.states(), RunState::failed) == 2);
  CHECK(count(study.states(), RunState::done) == 1);
  CHECK(count(study.states(), RunState::stopped_early) == 1);
  const Answer planned = study.run("--dry-run");
  CHECK(planned.text.find(
            "early stopping: of 4 combinations about 1 go on at 1 of 2 epochs: 62 % of ") !=
        std::string::npos);
}

TEST_CASE("a parent that is killed alone leaves runs that save what they have and end") {
  const Study study("[set]\nstop.epochs = 30000\n");
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  const std::string run = (study.out() / study.runs().at(0).folder).string();
  wait_for_file(run + "/center.safetensors");
  kill(sweep, SIGKILL);
  code_of(sweep);
  wait_for_file(run + "/summary.json");
  std::string status;
  for (int i = 0; i < 1000 && status.empty(); ++i, sleep_ms(10)) {
    const nlohmann::json summary = nlohmann::json::parse(bytes_of(run + "/summary.json"));
    if (!summary.at("test_error").is_null()) status = summary.at("status");
  }
  CHECK(status == "interrupted");
}

TEST_CASE("an error of the sweep's own costs the run that it meets, not those at work") {
  const Study study(
      "concurrent = 2\n[axes]\nstop.epochs = [1, 30, 2, 3]\n");  // the second is at work
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().size() < 2) sleep_ms(5);
  fs::rename(study.out() / "logs", study.out() / "logs.away");
  std::ofstream(study.out() / "logs") << "in the way";
  CHECK(code_of(sweep) == 1);
  CHECK(study.states().at(1) == RunState::done);
  const SweepRecord record = study.record();
  CHECK(record.state_of(study.runs().at(3).identity).reason.find("logs") != std::string::npos);
  fs::remove(study.out() / "logs");
  CHECK(study.run().code == 0);
}

TEST_CASE("a sweep whose parent has ignored the ends of children knows when its runs end") {
  const Study study("seeds = 2\n");
  const Answer answer =
      program("sweep " + study.file() + " --quiet --out " + study.out().string(), "trap '' CHLD; ");
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
}

TEST_CASE("what ails all runs ends a sweep early; what killed one is said") {
  const Study hopeless("seeds = 40\n[set]\ndata.crop = 4\n" + kConvolution);
  const Answer answer = program("sweep " + hopeless.file() + " --out " + hopeless.out().string());
  CAPTURE(answer.text);
  CHECK(answer.code == 1);
  CHECK(answer.text.find("no other was begun") != std::string::npos);
  CHECK(hopeless.beginnings().size() < 8);
  const Study killed("[set]\nstop.epochs = 30000\n");
  const pid_t sweep = killed.start();
  while (!fs::exists(killed.out() / "manifest.jsonl") || killed.beginnings().empty()) sleep_ms(10);
  const std::string run = (killed.out() / killed.runs().at(0).folder).string();
  for (int attempt = 1; attempt <= 2; ++attempt) {
    while (killed.beginnings().begin()->second < attempt) sleep_ms(10);
    wait_for_file(run + "/center.safetensors");
    const fs::path log = killed.out() / "logs" / (killed.runs().at(0).identity + ".txt");
    if (attempt == 1) std::ofstream(log, std::ios::app) << "easgd: words of the first attempt\n";
    for (const pid_t child : children_of(sweep)) kill(child, SIGKILL);
  }
  CHECK(code_of(sweep) == 1);
  const StateEvent state = killed.record().state_of(killed.runs().at(0).identity);
  CHECK(state.state == RunState::failed);
  CHECK(state.exit_code == 137);
  CHECK(state.reason.starts_with("ended by signal 9 (Killed)"));
  CHECK(state.reason.find("first attempt") == std::string::npos);
}

TEST_CASE(
    "a run that was killed on its way behind a rung goes on from there, not from the beginning") {
  const Study study("early_stop = {first = {epochs = 1}, eta = 1000}\n[set]\nstop.epochs = 200\n");
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  const std::string id = study.runs().at(0).identity;
  while (study.beginnings()[id] < 2) sleep_ms(5);
  const fs::path run = study.out() / "runs" / id;
  std::ofstream(run / "mark") << "of the first attempt";
  for (const pid_t child : children_of(sweep)) kill(child, SIGKILL);
  CHECK(code_of(sweep) == 0);
  CAPTURE(bytes_of(study.log()));
  CHECK(study.beginnings()[id] == 3);
  CHECK(fs::exists(run / "mark"));
}

TEST_CASE("a run that cannot go on from its checkpoint is tried once more, from the beginning") {
  const Study study("early_stop = {first = {epochs = 1}, eta = 1000}\n[set]\nstop.epochs = 100\n");
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  const std::string id = study.runs().at(0).identity;
  while (study.beginnings()[id] < 2) sleep_ms(5);
  kill(-sweep, SIGKILL);
  CHECK(code_of(sweep) == 128 + SIGKILL);
  const fs::path run = study.out() / "runs" / id;
  std::size_t damaged = 0;
  for (const auto& entry : fs::recursive_directory_iterator(run / "checkpoints")) {
    if (!entry.is_regular_file()) continue;
    std::ofstream(entry.path()) << "damaged";
    ++damaged;
  }
  REQUIRE(damaged > 0);
  std::ofstream(run / "mark") << "of the first attempt";
  const Answer answer = study.run();
  CAPTURE(answer.text);
  CHECK(answer.code == 0);
  CHECK(answer.text.find("1 of 1 runs done") != std::string::npos);
  CHECK_FALSE(fs::exists(run / "mark"));
  CHECK(study.record().state_of(id).attempt == 2);
}

TEST_CASE("a summary that no run has written is no end of a run") {
  const Study study("");
  REQUIRE(study.run().code == 0);
  const fs::path run = study.out() / study.runs().at(0).folder;
  std::ofstream(run / "summary.json") << "{}";
  CHECK(study.run().code == 0);
  CHECK(bytes_of((run / "summary.json").string()).find("\"status\": \"done\"") !=
        std::string::npos);
}

TEST_CASE("a dry run lists the runs and their time, and leaves nothing") {
  const Study study(kSix);
  const Answer plain = study.run("--dry-run");
  CAPTURE(plain.text);
  CHECK(plain.code == 0);
  CHECK(std::ranges::count(plain.text, '\n') == 7);
  CHECK(plain.text.find("waiting") != std::string::npos);
  CHECK(plain.text.find("6 runs; how long they take is not known yet") != std::string::npos);
  CHECK(!fs::exists(study.out()));
  const Answer probed = study.run("--dry-run --probe");
  CHECK(std::regex_search(probed.text, std::regex("6 runs; (about [1-9]|less than 1 s)")));
  CHECK(!fs::exists(study.out()));
  REQUIRE(study.run().code == 0);
  CHECK(study.run("--dry-run").text.find("6 runs; nothing is left to do") != std::string::npos);
}

TEST_CASE("a folder that is somebody else's, or cannot be written, is refused") {
  const Study study(kSix);
  fs::create_directories(study.out());
  std::ofstream(study.out() / "letters.txt") << "private";
  check_one_line(study.run(), 2, "holds something else than a sweep");
  fs::create_directories(study.out() / "configs");
  check_one_line(study.run(), 2, "holds something else than a sweep");
  fs::remove(study.out() / "letters.txt");  // as a sweep that was killed before its first line
  CHECK(study.run().code == 0);
  const TemporaryFolder other;
  std::ofstream(other / "file") << "text";
  check_one_line(program("sweep " + study.file() + " --quiet --out " + (other / "file") + "/x"), 3,
                 "cannot make the sweep's folder");
  check_one_line(program("sweep nowhere.toml"), 2, "nowhere.toml");
  check_one_line(study.run("--probe"), 2, "--dry-run");
  check_one_line(program("sweep " + study.file() + " --out \"\""), 2, "found an empty name");
  study.rewrite("base = \"nope.toml\"\n");
  check_one_line(study.run(), 2, "study.toml:1: base: ");
  study.rewrite("name = \"../up\"\n");
  check_one_line(study.run(), 2, "study.toml:2: name: expected a word");
  check_one_line(program("sweep configs/synthetic_logistic.toml"), 2, "unknown key");
}

TEST_CASE("missing data is told before anything runs, and not asked for when all is done") {
  const Study study("[axes]\ndata.set = [\"synthetic\", \"mnist\"]\n[set]\ndata.limit = 60\n");
  study.rebase("synthetic");
  const TemporaryFolder data;
  const std::string there = "export EASGD_DATA=" + data.path().string() + ";";
  const Answer answer = study.run("", there);
  CAPTURE(answer.text);
  CHECK(answer.code == 3);
  CHECK(answer.text.starts_with("easgd: mnist: not found; looked in " + data.path().string()));
  CHECK(std::ranges::count(answer.text, '\n') == 1);
  CHECK(!fs::exists(study.out()));

  write_tiny_mnist(data);
  CHECK(study.run("", there).code == 0);
  const std::string done = table_of(study.run("", there));
  fs::remove(data / "train-images-idx3-ubyte");
  const Answer again = study.run("", there);
  CHECK(again.code == 0);
  CHECK(table_of(again) == done);
}

TEST_CASE("runs that were stopped early need no data any more, but for a sweep that goes on") {
  const TemporaryFolder data;
  const std::string there = "export EASGD_DATA=" + data.path().string() + ";";
  write_tiny_mnist(data);
  const std::string axes =
      "[axes]\nalgorithm.learning_rate = [0.01, 0.1, 1]\n[set]\nstop.epochs = 9\n";
  const Study study("early_stop = {first = {epochs = 1}}\n" + axes);
  study.rebase("mnist");
  REQUIRE(study.run("", there).code == 0);
  CHECK(count(study.states(), RunState::stopped_early) > 0);
  const std::string done = table_of(study.run("", there));
  fs::remove(data / "train-images-idx3-ubyte");
  const Answer again = study.run("", there);
  CHECK(again.code == 0);
  CHECK(table_of(again) == done);
  study.rewrite(axes);  // all come to their end
  CHECK(study.run("", there).code == 3);
}

TEST_CASE("every shipped sweep is understood") {
  std::size_t sweeps = 0;
  for (const auto& entry : fs::directory_iterator("configs/sweeps")) {
    const Answer answer = program("sweep " + entry.path().string() + " --dry-run");
    CAPTURE(answer.text);
    CHECK(answer.code == 0);
    ++sweeps;
  }
  CHECK(sweeps > 0);
}

namespace {

/// What the run in a folder says of itself.
nlohmann::json summary_in(const fs::path& run) {
  return nlohmann::json::parse(bytes_of((run / "summary.json").string()));
}

const std::string kTwo = "[axes]\nalgorithm.tau = [1, 4]\n";

/// With what it says on the way.
Answer told(const Study& study) {
  return program("sweep " + study.file() + " --out " + study.out().string());
}

}  // namespace

TEST_CASE("a run that was given another end is another run: it is kept, and the sweep's is made") {
  const Study study(kTwo);
  const Answer first = study.run();
  REQUIRE(first.code == 0);
  const std::string id = study.runs().at(0).identity;
  const fs::path runs = study.out() / "runs", mine = runs / id;
  std::ofstream(mine / "mark") << "of the longer run";
  const std::string longer = (study.out() / "longer").string();
  REQUIRE(
      program("train " + mine.string() + "/config.toml --quiet --set stop.epochs=3 --out " + longer)
          .code == 0);
  // As if it had been resumed there.
  fs::copy(longer + "/summary.json", mine / "summary.json", fs::copy_options::overwrite_existing);
  fs::remove_all(longer);
  const std::string other = summary_in(mine).at("identity");
  REQUIRE(other != id);
  CHECK(study.run("--dry-run").text.find(id + "  waiting") != std::string::npos);
  const Answer report = program("report --csv - " + study.out().string());
  CHECK(report.text.find("\n" + id + ",missing,") != std::string::npos);
  const Answer page = program("report --out - " + study.out().string());
  CHECK(page.text.find("another run, " + other + ", lies in its place") != std::string::npos);

  const Answer again = told(study);
  CAPTURE(again.text);
  CHECK(again.code == 0);
  CHECK(again.text.find("held another run, " + other) != std::string::npos);
  CHECK(again.text.find(table_of(first)) != std::string::npos);
  CHECK(summary_in(mine).at("epochs").get<double>() < 2);
  CHECK(fs::exists(runs / other / "mark"));
  CHECK(summary_in(runs / other).at("epochs").get<double>() > 2);
}

TEST_CASE("run folders that have changed places, or are links to others, are no runs of those") {
  const Study study(kTwo);
  const Answer first = study.run();
  REQUIRE(first.code == 0);
  const std::string one = study.runs().at(0).identity, two = study.runs().at(1).identity;
  const fs::path runs = study.out() / "runs";
  fs::rename(runs / one, runs / "away");
  fs::rename(runs / two, runs / one);
  fs::rename(runs / "away", runs / two);
  CHECK(table_of(study.run()) == table_of(first));
  CHECK(summary_in(runs / one).at("identity") == one);
  CHECK(summary_in(runs / two).at("identity") == two);
  CHECK(summary_in(runs / (one + ".other")).at("identity") == two);

  fs::remove_all(runs / one);
  fs::create_directory_symlink(two, runs / one);
  const Answer report = program("report --csv - " + study.out().string());
  CAPTURE(report.text);
  CHECK(report.text.find("\n" + one + ",missing,") != std::string::npos);
  CHECK(report.text.find("\n" + two + ",done,") != std::string::npos);
  CHECK(table_of(study.run()) == table_of(first));
  CHECK(fs::is_symlink(runs / (one + ".other2")));
  CHECK_FALSE(fs::is_symlink(runs / one));
  CHECK(summary_in(runs / one).at("identity") == one);
  CHECK(summary_in(runs / two).at("identity") == two);
}

TEST_CASE("a dry run says of each run what its folder says") {
  const Study study("[axes]\nalgorithm.tau = [1, 4, 16]\n");
  REQUIRE(study.run().code == 0);
  const auto runs = study.runs();
  fs::remove_all(study.out() / runs[0].folder);
  fs::remove(study.out() / runs[1].folder / "summary.json");
  const Answer planned = study.run("--dry-run");
  CAPTURE(planned.text);
  CHECK(planned.text.find(runs[0].identity + "  waiting") != std::string::npos);
  CHECK(planned.text.find(runs[1].identity + "  interrupted") != std::string::npos);
  CHECK(planned.text.find(runs[2].identity + "  done") != std::string::npos);
  CHECK(planned.text.find("3 runs; less than 1 s on") != std::string::npos);
  CHECK(study.run().code == 0);
  for (const PlannedRun& run : runs) CHECK(fs::exists(study.out() / run.folder / "summary.json"));
}

TEST_CASE("after a kill no run is called running") {
  const Study study("[set]\nstop.epochs = 30000\n");
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  const PlannedRun run = study.runs().at(0);
  wait_for_file((study.out() / run.folder / "center.safetensors").string());
  CHECK(study.run("--dry-run").text.find(run.identity + "  running") != std::string::npos);
  kill(-sweep, SIGKILL);
  code_of(sweep);
  for (int i = 0; i < 1000; ++i, sleep_ms(10)) {  // the run's process ends a moment later
    if (study.run("--dry-run").text.find("interrupted") != std::string::npos) break;
  }
  CHECK(study.states().at(0) == RunState::running);
  CHECK(study.run("--dry-run").text.find(run.identity + "  interrupted") != std::string::npos);
}

TEST_CASE("a damaged line of the manifest costs that line and a warning") {
  const Study study(kTwo);
  const Answer first = study.run();
  REQUIRE(first.code == 0);
  const fs::path manifest = study.out() / "manifest.jsonl";
  std::istringstream lines(bytes_of(manifest.string()));
  std::string text, line;
  for (int number = 1; std::getline(lines, line); ++number) {
    text += (number == 4 || number == 5 ? "[1,2]" : line) + "\n";
  }
  std::ofstream(manifest) << text;
  CHECK(study.run("--dry-run").text.find("warning: " + manifest.string() + ":4: event") !=
        std::string::npos);
  const Answer again = told(study);
  CAPTURE(again.text);
  CHECK(again.code == 0);
  const std::string warning = "warning: " + manifest.string() + ":5: event";
  CHECK(again.text.find(warning) != std::string::npos);
  CHECK(again.text.find(warning) == again.text.rfind(warning));
  CHECK(again.text.find("2 of 2 runs are done already") != std::string::npos);
  CHECK(again.text.find(table_of(first)) != std::string::npos);
}

TEST_CASE("a sweep that may not be written prints its table if nothing is to be done") {
  if (geteuid() != 0 || std::system("command -v setpriv >/dev/null") != 0) {
    MESSAGE("skipped: needs root and setpriv");
    return;
  }
  const Study study(kTwo);
  const Answer first = study.run();
  REQUIRE(first.code == 0);
  fs::permissions(study.out().parent_path(), fs::perms(0755));
  const auto as_nobody = [](const std::string& arguments) {
    return program(arguments, "exec setpriv --reuid=65534 --regid=65534 --clear-groups ");
  };
  const std::string sweep = "sweep " + study.file() + " --quiet --out " + study.out().string();
  const Answer again = as_nobody(sweep);
  CHECK(again.code == 0);
  CHECK(again.text == first.text);
  check_one_line(as_nobody("report " + study.out().string()), 3, "name another place with --out");
  fs::remove_all(study.out() / study.runs().at(0).folder);
  check_one_line(as_nobody(sweep), 3, "manifest.jsonl: cannot be written");
}

TEST_CASE("a run that somebody has stopped hears of the sweep's end") {
  const Study study("[set]\nstop.epochs = 30000\n");
  const pid_t sweep = study.start();
  while (!fs::exists(study.out() / "manifest.jsonl") || study.beginnings().empty()) sleep_ms(10);
  wait_for_file((study.out() / study.runs().at(0).folder / "center.safetensors").string());
  for (const pid_t child : children_of(sweep)) kill(child, SIGSTOP);
  kill(sweep, SIGTERM);
  int status = 0;
  for (int i = 0; i < 6000 && waitpid(sweep, &status, WNOHANG) == 0; ++i) sleep_ms(10);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  kill(-sweep, SIGKILL);  // had it not ended
  CHECK(summary_in(study.out() / study.runs().at(0).folder).at("status") == "interrupted");
}
