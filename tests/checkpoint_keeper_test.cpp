// The keeper's thread beside those of a run, in a suite that the thread sanitizer watches.
#include "train/checkpoint_keeper.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "runs/checkpoint_folder.h"
#include "runs/run_folder.h"
#include "temporary_folder.h"

using namespace easgd;
using namespace std::chrono_literals;

namespace {

Checkpoint checkpoint_of(std::uint64_t version) {
  Checkpoint checkpoint{.version = version};
  SavedState& center = checkpoint.sections["center"];
  center.counters["version"] = {version};
  center.vectors["center"] = std::vector<float>(1000, float(version));
  return checkpoint;
}

}  // namespace

TEST_CASE("a keeper writes one checkpoint after the other, and ends with the last") {
  std::atomic<int> writing = 0, most = 0;
  std::vector<std::uint64_t> written;  // by the keeper's thread; read once it has ended
  {
    CheckpointKeeper keeper([&](const Checkpoint& checkpoint) {
      most = std::max(most.load(), ++writing);
      std::this_thread::sleep_for(1ms);
      written.push_back(checkpoint.version);
      --writing;
    });
    for (std::uint64_t version = 1; version <= 20; ++version) {
      keeper.wait();
      CHECK_FALSE(keeper.is_busy());
      CHECK(writing == 0);
      keeper.keep(checkpoint_of(version));
    }
  }
  CHECK(most == 1);
  REQUIRE(written.size() == 20);
  for (std::uint64_t version = 1; version <= 20; ++version) CHECK(written[version - 1] == version);
}

TEST_CASE("checkpoints, events and files of a run's folder by several threads") {
  constexpr int kThreads = 3, kEvents = 200;
  constexpr std::uint64_t kCheckpoints = 12, kKept = 3;
  const testing::TemporaryFolder temporary;
  const std::string path = temporary / "run";
  {
    RunFolder folder = RunFolder::create(path, "run");
    folder.keep();
    CheckpointKeeper keeper([&](const Checkpoint& checkpoint) {
      CHECK(folder.sync().empty());
      CheckpointFolder(folder.path()).save(checkpoint, kKept);
    });
    std::vector<std::jthread> others;
    for (int i = 0; i < kThreads; ++i) {
      others.emplace_back([&folder, i] {
        const std::string name = "file" + std::to_string(i);
        for (int event = 0; event < kEvents; ++event) {
          folder.log(WarningEvent{std::to_string(i)});
          if (event % 20 == 0) folder.write(name, std::to_string(event));
        }
      });
    }
    for (std::uint64_t version = 1; version <= kCheckpoints; ++version) {
      keeper.wait();
      keeper.keep(checkpoint_of(version));
    }
  }
  std::vector<int> events(kThreads);
  std::ifstream lines(path + "/metrics.jsonl");
  for (std::string line; std::getline(lines, line);) {
    ++events[std::stoul(nlohmann::json::parse(line).at("message").get<std::string>())];
  }
  CHECK(events == std::vector<int>(kThreads, kEvents));
  const CheckpointFolder checkpoints(path);
  const auto last = checkpoints.load([](const std::string& complaint) { FAIL(complaint); });
  REQUIRE(last);
  CHECK(last->version == kCheckpoints);
  CHECK(last->sections.at("center").vectors.at("center")[999] == float(kCheckpoints));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file :
       std::filesystem::directory_iterator(path + "/checkpoints")) {
    ++files;
  }
  CHECK(files == kKept);
}
