#include "sweep/probe.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/child_process.h"
#include "base/error.h"
#include "runs/run_record.h"
#include "sweep/sweep_folder.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSteps = 30;
constexpr std::int64_t kTestSamples = 100;

/// A folder of a trial's own.
class TrialFolder {
 public:
  TrialFolder() {
    std::string name = (fs::temp_directory_path() / "easgd-probe-XXXXXX").string();
    if (!mkdtemp(name.data())) {
      throw DataError(name +
                      ": cannot make a folder for a trial; set $TMPDIR to one that is "
                      "writable");
    }
    path_ = name;
  }
  ~TrialFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TrialFolder(const TrialFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Short, with little to evaluate. Its schedules keep their length.
Config shortened(Config config) {
  config.stop = {};
  config.stop.steps = kSteps;
  config.evaluate.every = {};
  config.evaluate.every.seconds = 1e8;
  if (config.data.test_limit == 0) config.data.test_limit = kTestSamples;
  return config;
}

std::optional<RunSummary> try_out(const Config& config, const std::function<bool()>& wants_end) {
  const TrialFolder trial;
  const SweepFolder folder(trial.path() / "sweep");
  folder.make();
  folder.write_config("probe", shortened(config));
  ChildProcess process({.words = {own_program().string(), "train", folder.config("probe").string(),
                                  "--out", folder.run("probe").string()},
                        .log = folder.log("probe")});
  while (!process.has_ended()) {
    wait_for_any({&process}, std::chrono::milliseconds(50));
    if (!wants_end()) continue;
    process.terminate();
    process.exit_code();
    return std::nullopt;
  }
  const auto summary = find_summary(folder.run("probe"));
  if (!summary) throw DataError("a trial of a run failed: " + folder.last_words("probe", 0));
  return summary;
}

}  // namespace

bool probe(const SweepPlan& plan, Estimate& estimate, const std::function<bool()>& wants_end) {
  for (const SweepRun& run : plan.runs) {
    if (estimate.knows(run)) continue;
    const auto summary = try_out(run.config, wants_end);
    if (!summary) return false;
    estimate.learn(run, *summary);
  }
  return true;
}

}  // namespace easgd
