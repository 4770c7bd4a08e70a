// Who gets a run folder, and what is left where nobody does. That a run's files stay, and those of
// an earlier one, is in the program's tests.
#include "runs/run_folder.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/write_file.h"
#include "temporary_folder.h"

using namespace easgd;
namespace fs = std::filesystem;

TEST_CASE("of runs that want one folder at the same time, one gets it and the others are told") {
  constexpr int kRuns = 4;
  for (int round = 0; round < 200; ++round) {
    const testing::TemporaryFolder folder;
    const std::string out = folder / "deep/run";
    std::atomic<int> ready{0}, made{0}, told{0};
    {
      std::vector<std::jthread> runs;
      for (int i = 0; i < kRuns; ++i) {
        runs.emplace_back([&] {
          ++ready;
          while (ready < kRuns) std::this_thread::yield();
          try {
            RunFolder mine(out, "run");
            mine.log({{"event", "mine"}});
            mine.keep();
            ++made;
          } catch (const ConfigError&) {
            ++told;
          }
        });
      }
    }
    REQUIRE(made == 1);
    REQUIRE(told == kRuns - 1);
    std::ifstream metrics(out + "/metrics.jsonl");
    std::string line;
    REQUIRE(std::getline(metrics, line));
    CHECK(line == R"({"event":"mine"})");
    CHECK_FALSE(std::getline(metrics, line));
  }
}

TEST_CASE("a run that does not begin leaves no folder it made") {
  const testing::TemporaryFolder folder;
  { const RunFolder mine(folder / "a/b", "run"); }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("of what lies in a folder that is taken back, only what was written is removed") {
  const testing::TemporaryFolder folder;
  {
    RunFolder mine(folder / "a/b", "run");
    mine.write("config.toml", "text");
    CHECK(fs::exists(folder / "a/b/config.toml"));
    std::ofstream(folder / "a/b/summary.json") << "somebody's";
    std::ofstream(folder / "a/notes.txt") << "somebody's";
  }
  CHECK(fs::exists(folder / "a/b/summary.json"));
  CHECK(fs::exists(folder / "a/notes.txt"));
  CHECK_FALSE(fs::exists(folder / "a/b/config.toml"));
  CHECK_FALSE(fs::exists(folder / "a/b/metrics.jsonl"));
}

TEST_CASE("a file whose writing throws is not left behind, nor is what was there lost") {
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "file") << "before";
  CHECK_THROWS_AS(write_file(folder / "file", [](std::ostream&) { throw std::bad_alloc(); }),
                  std::bad_alloc);
  std::ifstream file(folder / "file");
  std::string text;
  CHECK((std::getline(file, text) && text == "before"));
  CHECK_FALSE(fs::exists(folder / "file.new"));
  CHECK_THROWS_WITH_AS(write_new_file(folder / "file", [](std::ostream& out) { out << "new"; }),
                       doctest::Contains("another's file of that name has come there"), DataError);
  CHECK_FALSE(fs::exists(folder / "file.new"));
}

TEST_CASE("a folder that another run has begun in is not removed with one's own") {
  const testing::TemporaryFolder folder;
  {
    RunFolder mine(folder / "a/b", "run");
    RunFolder other(folder / "a/c", "run");
    other.keep();
  }
  CHECK(fs::exists(folder / "a/c/metrics.jsonl"));
  CHECK_FALSE(fs::exists(folder / "a/b"));
}

TEST_CASE("a line that cannot be written whole leaves no half of it in metrics.jsonl") {
  const testing::TemporaryFolder folder;
  RunFolder mine(folder / "run", "run");
  mine.log({{"event", "first"}});
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 40;
  setrlimit(RLIMIT_FSIZE, &small);
  mine.log({{"event", std::string(100, 'x')}});
  setrlimit(RLIMIT_FSIZE, &before);
  mine.log({{"event", "third"}});
  std::ifstream metrics(folder / "run/metrics.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(metrics, line);) lines.push_back(line);
  CHECK(lines == std::vector<std::string>{R"({"event":"first"})", R"({"event":"third"})"});
}

TEST_CASE("a folder that can be made only in part is not left behind") {
  const testing::TemporaryFolder folder;
  const std::string too_long(300, 'x');
  CHECK_THROWS_WITH_AS(RunFolder(folder / "a/b" + "/" + too_long, "run"),
                       doctest::Contains("cannot make the run folder: File name too long"),
                       DataError);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a folder of runs does not become a run") {
  const testing::TemporaryFolder folder;
  {
    RunFolder first(folder / "runs/first", "run");
    first.keep();
  }
  CHECK_THROWS_WITH_AS(RunFolder(folder / "runs", "run"),
                       doctest::Contains("runs: holds runs; give a folder in it"), ConfigError);
  CHECK_FALSE(fs::exists(folder.path() / "runs/metrics.jsonl"));
}

TEST_CASE("what others have put into a folder made for a run stays") {
  const testing::TemporaryFolder folder;
  {
    const RunFolder mine(folder / "a", "run");
    std::ofstream(folder / "a/notes.txt") << "theirs";
  }
  CHECK(fs::exists(folder.path() / "a/notes.txt"));
  CHECK_FALSE(fs::exists(folder.path() / "a/metrics.jsonl"));
}
