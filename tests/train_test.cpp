// The trainer as a library: what it gives back, and that one run leaves nothing behind for the
// next.
#include "train/trainer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "data/dataset_reader.h"
#include "mixed_sizes.h"
#include "program.h"
#include "runs/run_folder.h"
#include "runs/run_record.h"
#include "settings/dump.h"
#include "settings/load.h"
#include "temporary_folder.h"

using namespace easgd;
using namespace easgd::testing;
namespace fs = std::filesystem;

namespace {

Config small(const std::vector<std::string>& more = {}) {
  std::vector<std::string> sets = {"data.limit=300", "data.test_limit=100", "workers.devices=cpu",
                                   "workers.threads=1", "stop.epochs=1"};
  sets.insert(sets.end(), more.begin(), more.end());
  return load_config(EASGD_SOURCE_ROOT "/configs/synthetic_logistic.toml", sets);
}

/// Remembers what it sees, and ends the run if it is to.
struct Witness final : RunClient {
  void line(const std::string& text) override {
    const std::lock_guard lock(mutex);
    lines.push_back(text);
  }
  void begin() override { calls += "begin "; }
  void show(const ProgressState&) override { shown = true; }
  void end() override { calls += "end"; }
  bool wants_end() override { return impatient; }
  void heard_end() override { calls += "heard "; }

  std::mutex mutex;
  std::vector<std::string> lines;
  std::string calls;
  bool shown = false;
  std::atomic<bool> impatient = false;
};

/// A picture takes two milliseconds, and there is one at a time, whoever wants it.
class Slow final : public MixedSizes {
 public:
  explicit Slow(std::size_t size) : MixedSizes(size) {}
  int classes() const override { return 10; }
  int label(std::size_t index) const override { return int(index % 10); }
  Image image(std::size_t index, Scratch& scratch) const override {
    const std::lock_guard lock(mutex_);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return MixedSizes::image(index, scratch);
  }
  std::optional<Normalisation> normalisation() const override {
    return Normalisation{{0.5f, 0.5f}, {0.25f, 0.25f}};
  }

 private:
  mutable std::mutex mutex_;
};

class SlowReader final : public DatasetReader {
 public:
  std::string name() const override { return "slow"; }
  DataSplit read(const DatasetOptions&) const override {
    return {std::make_unique<Slow>(2000), std::make_unique<Slow>(10), "test"};
  }
};

const RegisteredDataset kSlow([] { return std::make_unique<SlowReader>(); });

/// What is written to a descriptor while it lives is in a file.
class Redirected {
 public:
  Redirected(int descriptor, const std::string& path)
      : descriptor_(descriptor), kept_(dup(descriptor)) {
    std::fflush(nullptr);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT, 0666);
    dup2(file, descriptor);
    close(file);
  }
  ~Redirected() {
    std::fflush(nullptr);
    dup2(kept_, descriptor_);
    close(kept_);
  }

 private:
  int descriptor_, kept_;
};

}  // namespace

TEST_CASE("a run gives back its folder, its summary and its exit code, and prints nothing") {
  const TemporaryFolder folder;
  RunClient silent;
  RunResult result;
  {
    const Redirected out(STDOUT_FILENO, folder / "out"), err(STDERR_FILENO, folder / "err");
    result = train(small(), folder / "run", silent);
  }
  CHECK(bytes_of(folder / "out").empty());
  CHECK(bytes_of(folder / "err").empty());
  CHECK(result.folder == folder / "run");
  CHECK(result.status() == RunStatus::done);
  CHECK(result.exit_code == ExitCode::done);
  CHECK_FALSE(result.failure);
  CHECK(bytes_of(folder / "run/summary.json") == text_of(result.summary));
}

TEST_CASE("what a run has left is read: its configuration, its summary, its evaluations") {
  const TemporaryFolder folder;
  RunClient silent;
  const RunResult result =
      train(small({"evaluate.every.versions=1", "algorithm.tau=1"}), folder / "run", silent);
  const RunRecord record = read_run(folder / "run");
  REQUIRE(record.config);
  CHECK(dump_config(*record.config) == bytes_of(folder / "run/config.toml"));
  REQUIRE(record.summary);
  CHECK(to_json(*record.summary).dump() == to_json(result.summary).dump());
  REQUIRE(!record.events.empty());
  EvaluationEvent last;
  for (const Event& event : record.events) {
    if (const auto* evaluation = std::get_if<EvaluationEvent>(&event)) last = *evaluation;
  }
  CHECK(last.version == result.summary.version);
  CHECK(last.test_error == result.summary.test_error);
  CHECK(last.steps.size() == 1);
  const auto end = std::ranges::find_if(record.events, [](const Event& event) {
    const auto* progress = std::get_if<ProgressEvent>(&event);
    return progress && progress->fraction == 1;
  });
  REQUIRE(end != record.events.end());  // however short the run was
  const WorkerProgress& worker = std::get<ProgressEvent>(*end).workers.at(0);
  CHECK(worker.steps == result.summary.steps.at(0));
  CHECK(worker.train_loss > 0);
}

TEST_CASE("two runs after one another in a process: one that is ended early, and one that is not") {
  const TemporaryFolder folder;
  Witness impatient;
  impatient.impatient = true;
  const RunResult first = train(small({"stop.epochs=100000"}), folder / "first", impatient);
  CHECK(first.status() == RunStatus::interrupted);
  CHECK(first.exit_code == ExitCode::interrupted);
  CHECK(impatient.calls == "begin heard end");
  CHECK(impatient.shown);
  Witness patient;
  const RunResult second = train(small(), folder / "second", patient);
  CHECK(second.status() == RunStatus::done);
  CHECK(second.exit_code == ExitCode::done);
  CHECK(patient.calls == "begin end");
  CHECK(!patient.lines.empty());
  const RunResult third = train(small(), folder / "third", patient);
  CHECK(bytes_of(folder / "second/center.safetensors") ==
        bytes_of(folder / "third/center.safetensors"));
}

TEST_CASE("a run that cannot begin throws; one that fails later has a result that says why") {
  const TemporaryFolder folder;
  Witness witness;
  CHECK_THROWS_AS(train(small({"workers.devices=[99]"}), folder / "none", witness), DeviceError);
  CHECK(witness.calls.empty());
  CHECK_FALSE(fs::exists(folder / "none"));

  const std::string out = folder_with_room(folder / "full", std::strlen("summary.json.new"));
  const RunResult result = train(small(), out, witness);  // there is no room for the center
  CHECK(result.status() == RunStatus::failed);
  CHECK(result.exit_code == ExitCode::data);
  REQUIRE(result.failure);
  CHECK_THROWS_WITH_AS(std::rethrow_exception(result.failure),
                       doctest::Contains("no center is saved"), Error);
}

TEST_CASE("data_wait_fraction is the share of the time for which there was no batch") {
  struct Known {
    const char* stall;  // of each gradient, while the next batches of 20 ms are made
    double wait;
  };
  for (const Known& known : {Known{"", 1}, Known{"0.01", 0.5}, Known{"0.04", 0}}) {
    CAPTURE(known.stall);
    const TemporaryFolder folder;
    Config config = small({"stop.epochs=", "stop.steps=50", "workers.batch=10", "data.crop=8"});
    config.data.set = "slow";
    config.data.own = std::make_shared<SlowReader>();
    if (*known.stall)
      config.debug.fail = {std::string("worker 0 stalls ") + known.stall + " s every 1 steps"};
    RunClient silent;
    const RunResult result = train(config, folder / "run", silent);
    CHECK(std::abs(result.summary.data_wait_fraction - known.wait) < 0.2);
  }
}
