// Who gets a run folder, and what is left where nobody does. That a run's files stay, and those of
// an earlier one, is in the program's tests.
#include "runs/run_folder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/unreadable.h"
#include "base/write_file.h"
#include "report/reported_run.h"
#include "runs/manifest.h"
#include "runs/run_record.h"
#include "sweep/metrics_tail.h"
#include "sweep/rung_result.h"
#include "temporary_folder.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

/// Of the warnings in metrics.jsonl, as they are read.
std::vector<std::string> messages_in(const fs::path& folder) {
  std::vector<std::string> messages;
  for (const Event& event : read_run(folder).events) {
    messages.push_back(std::get<WarningEvent>(event).message);
  }
  return messages;
}

using Messages = std::vector<std::string>;

/// A folder in which a run began, and wrote `first`.
void leave_run(const std::string& folder) {
  RunFolder run = RunFolder::create(folder, "run");
  run.log(WarningEvent{"first"});
  run.keep();
}

RunSummary named_summary(const std::string& name) {
  RunSummary summary;
  summary.name = name;
  return summary;
}

void append(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

}  // namespace

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
            RunFolder mine = RunFolder::create(out, "run");
            mine.log(WarningEvent{"mine"});
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
    CHECK(line == R"({"event":"warning","message":"mine"})");
    CHECK_FALSE(std::getline(metrics, line));
  }
}

TEST_CASE("a run that does not begin leaves no folder it made") {
  const testing::TemporaryFolder folder;
  { const RunFolder mine = RunFolder::create(folder / "a/b", "run"); }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("of what lies in a folder that is taken back, only what was written is removed") {
  const testing::TemporaryFolder folder;
  {
    RunFolder mine = RunFolder::create(folder / "a/b", "run");
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
    RunFolder mine = RunFolder::create(folder / "a/b", "run");
    RunFolder other = RunFolder::create(folder / "a/c", "run");
    other.keep();
  }
  CHECK(fs::exists(folder / "a/c/metrics.jsonl"));
  CHECK_FALSE(fs::exists(folder / "a/b"));
}

TEST_CASE("a line that cannot be written whole leaves no half of it in metrics.jsonl") {
  const testing::TemporaryFolder folder;
  RunFolder mine = RunFolder::create(folder / "run", "run");
  std::vector<std::string> complaints;
  mine.on_warning = [&](const std::string& complaint) { complaints.push_back(complaint); };
  mine.log(WarningEvent{"first"});
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 60;
  setrlimit(RLIMIT_FSIZE, &small);
  for (int i = 1; i <= 9; ++i) mine.log(WarningEvent{std::string(100, 'x')});
  CHECK(complaints.size() == 4);  // at the first, the second, the fourth and the eighth
  setrlimit(RLIMIT_FSIZE, &before);
  mine.log(WarningEvent{"third"});
  CHECK(messages_in(folder / "run") == Messages{"first", "third"});
  setrlimit(RLIMIT_FSIZE, &small);
  mine.log(WarningEvent{std::string(100, 'x')});
  setrlimit(RLIMIT_FSIZE, &before);
  REQUIRE(complaints.size() == 5);
  CHECK(complaints[0].find("metrics.jsonl: cannot be written: File too large; the run goes on") !=
        std::string::npos);
}

TEST_CASE("a folder that can be made only in part is not left behind") {
  const testing::TemporaryFolder folder;
  const std::string too_long(300, 'x');
  CHECK_THROWS_WITH_AS(RunFolder::create(folder / "a/b" + "/" + too_long, "run"),
                       doctest::Contains("cannot make the run folder: File name too long"),
                       DataError);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a folder of runs does not become a run") {
  const testing::TemporaryFolder folder;
  {
    RunFolder first = RunFolder::create(folder / "runs/first", "run");
    first.keep();
  }
  CHECK_THROWS_WITH_AS(RunFolder::create(folder / "runs", "run"),
                       doctest::Contains("runs: holds runs; give a folder in it"), ConfigError);
  CHECK_FALSE(fs::exists(folder.path() / "runs/metrics.jsonl"));
}

TEST_CASE("what others have put into a folder made for a run stays") {
  const testing::TemporaryFolder folder;
  {
    const RunFolder mine = RunFolder::create(folder / "a", "run");
    std::ofstream(folder / "a/notes.txt") << "theirs";
  }
  CHECK(fs::exists(folder.path() / "a/notes.txt"));
  CHECK_FALSE(fs::exists(folder.path() / "a/metrics.jsonl"));
}

TEST_CASE("a folder is reopened: events are appended, files may be written over") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  leave_run(path);
  std::ofstream(path + "/summary.json") << to_json(named_summary("first"));
  {
    RunFolder again = RunFolder::reopen(path);
    again.log(WarningEvent{"second"});
    again.write("summary.json", to_json(named_summary("second")).dump());
  }
  CHECK(messages_in(path) == Messages{"first", "second"});
  CHECK(read_run(path).summary.value().name == "second");
}

TEST_CASE("a torn last line is dropped from a folder that is reopened") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  leave_run(path);
  const auto whole = fs::file_size(path + "/metrics.jsonl");
  for (const std::string& torn :
       {std::string(R"({"event":"warning","mess)"), std::string(10'000, 'x')}) {
    append(path + "/metrics.jsonl", torn);
    RunFolder::reopen(path);
    CHECK(fs::file_size(path + "/metrics.jsonl") == whole);
  }
  fs::resize_file(path + "/metrics.jsonl", 5);  // nothing but a torn line
  RunFolder::reopen(path);
  CHECK(fs::file_size(path + "/metrics.jsonl") == 0);
}

TEST_CASE("lines of zeros, which a power failure leaves, go when events are dropped") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  leave_run(path);
  append(path + "/metrics.jsonl", std::string(100, '\0') + "\n");
  append(path + "/metrics.jsonl", "{\"event\":\"warning\",\"message\":\"last\"}\n");
  RunFolder::reopen(path).drop_events([](const Event&) { return false; });
  CHECK(messages_in(path) == Messages{"first", "last"});
}

TEST_CASE("files that a killed run was writing are taken away when its folder is reopened") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  leave_run(path);
  for (const char* name : {"/center.safetensors.new", "/center-12.safetensors.new",
                           "/metrics.jsonl.new2", "/theirs.new"}) {
    std::ofstream(path + name) << "half";
  }
  RunFolder::reopen(path);
  CHECK_FALSE(fs::exists(path + "/center.safetensors.new"));
  CHECK_FALSE(fs::exists(path + "/center-12.safetensors.new"));
  CHECK_FALSE(fs::exists(path + "/metrics.jsonl.new2"));
  CHECK(fs::exists(path + "/theirs.new"));
}

TEST_CASE("who opened the events before they were replaced finds a run at work too") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  leave_run(path);
  RunFolder mine = RunFolder::reopen(path);
  AppendedFile late(path + "/metrics.jsonl", O_RDWR);
  mine.drop_events([](const Event&) { return true; });
  CHECK_FALSE(late.lock());
  CHECK(is_at_work(path));
}

TEST_CASE("events that go into a file that was taken away are missed") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  leave_run(path);
  RunFolder mine = RunFolder::reopen(path);
  Messages warnings;
  mine.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  mine.log(WarningEvent{"there"});
  CHECK(warnings.empty());
  fs::remove(path + "/metrics.jsonl");
  mine.log(WarningEvent{"lost"});
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("metrics.jsonl: was taken away") != std::string::npos);
}

TEST_CASE("a folder in which a run is at work is not reopened") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  RunFolder mine = RunFolder::create(path, "run");
  mine.keep();
  mine.log(WarningEvent{"mine"});
  append(path + "/metrics.jsonl", "half a li");  // as one that is being written
  const auto size = fs::file_size(path + "/metrics.jsonl");
  CHECK_THROWS_WITH_AS(RunFolder::reopen(path), doctest::Contains("run: a run is at work in it"),
                       ConfigError);
  const pid_t other = fork();  // in another process
  if (other == 0) {
    try {
      RunFolder::reopen(path);
    } catch (const ConfigError&) {
      _exit(7);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(other, &status, 0);
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(fs::file_size(path + "/metrics.jsonl") == size);
  CHECK(messages_in(path) == Messages{"mine"});
}

TEST_CASE("no run goes on in a folder while others take something out of it") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run";
  leave_run(path);
  {
    const StillRun one(path), another(path);
    CHECK_FALSE(is_at_work(path));
    CHECK_THROWS_WITH_AS(RunFolder::reopen(path), doctest::Contains("run: a run is at work in it"),
                         ConfigError);
  }
  const RunFolder mine = RunFolder::reopen(path);
  CHECK_THROWS_WITH_AS(StillRun{path}, doctest::Contains("run: a run is at work in it"),
                       ConfigError);
}

TEST_CASE("what is no run's folder is not reopened, and is left as it is") {
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "notes.txt") << "mine";
  CHECK_THROWS_WITH_AS(RunFolder::reopen(folder.path()),
                       doctest::Contains("is not the folder of a run: it has no metrics.jsonl"),
                       DataError);
  CHECK_THROWS_AS(RunFolder::reopen(folder / "notes.txt"), DataError);
  CHECK_THROWS_AS(RunFolder::reopen(folder / "nowhere"), DataError);
  CHECK(fs::exists(folder / "notes.txt"));
}

TEST_CASE("a run that is being written is read as far as it is there") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run", metrics = path + "/metrics.jsonl";
  leave_run(path);
  append(metrics, R"({"event":"to_come","version":3})"
                  "\n");  // of a later program
  append(metrics, R"({"event":"warning","message":"second","colour":"red"})"
                  "\n");
  append(metrics, R"({"event":"warning","message":"th)");
  const RunRecord record = read_run(path);
  CHECK_FALSE(record.config);
  CHECK_FALSE(record.summary);
  CHECK(messages_in(path) == Messages{"first", "second"});
}

TEST_CASE("what has no end, or hardly one, is not read in the place of a run's or a sweep's file") {
  const std::pair<std::function<void(const fs::path&)>, const char*> makers[] = {
      {[](const fs::path& path) { REQUIRE(mkfifo(path.c_str(), 0666) == 0); },
       "is no regular file"},
      {[](const fs::path& path) { fs::create_symlink("/dev/zero", path); }, "is no regular file"},
      {[](const fs::path& path) {
         std::ofstream(path) << "";
         fs::resize_file(path, kLongestLog + 1);  // which takes no room
       },
       "has 4294967297 bytes, more than "}};
  for (const auto& [make, why] : makers) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder.path();
    make(path / "metrics.jsonl");
    CHECK_THROWS_WITH_AS(read_run(path), doctest::Contains(why), DataError);
    CHECK(evaluations_in(path).empty());
    MetricsTail(path).look();
    CHECK_FALSE(is_at_work(path));
    for (const char* name : {"summary.json", "config.toml", "manifest.jsonl"}) make(path / name);
    CHECK_FALSE(find_summary(path));
    fs::remove(path / "metrics.jsonl");  // so that it comes to config.toml
    std::ofstream(path / "metrics.jsonl") << "";
    CHECK_THROWS_WITH_AS(read_run(path), doctest::Contains(why), DataError);
    fs::remove(path / "metrics.jsonl");
    make(path / "metrics.jsonl");
    CHECK_THROWS_WITH_AS(read_sweep(path), doctest::Contains(why), DataError);
    const report::ReportedRun run = report::read_reported_run(path);
    CHECK(run.status == "unreadable");
    REQUIRE(run.notes.size() == 3);
    for (const std::string& note : run.notes) CHECK(note.find(why) != note.npos);
  }
}

TEST_CASE("what is damaged in a folder is reported with file and line") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "run", metrics = path + "/metrics.jsonl";
  leave_run(path);
  const auto complaint = [&](const std::string& line) -> std::string {
    const auto size = fs::file_size(metrics);
    append(metrics, line + "\n");
    std::string what = "none";
    try {
      read_run(path);
    } catch (const DataError& e) {
      what = e.what();
    }
    fs::resize_file(metrics, size);
    return what;
  };
  CHECK(complaint("{\"event\":").ends_with("metrics.jsonl:2: is not valid JSON"));
  CHECK(complaint("[1]").ends_with(
      "metrics.jsonl:2: event: expected an object with this key; found [1]"));
  CHECK(complaint(R"({"event":"warning","message":7})")
            .ends_with("metrics.jsonl:2: message: expected a text; found 7"));
  std::ofstream(path + "/summary.json") << "{\"status\": \"dancing\"}";
  CHECK(complaint("{}").ends_with("event: expected an object with this key; found {}"));
  CHECK_THROWS_WITH_AS(
      read_run(path),
      doctest::Contains("summary.json: status: expected a word that is known; found \"dancing\""),
      DataError);
  CHECK_THROWS_AS(read_run(folder.path()), DataError);
}
