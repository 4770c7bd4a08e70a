// A file has reached the disk when it appears, and so has its name when its writing returns.
#include "base/write_file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "runs/checkpoint_folder.h"
#include "runs/run_folder.h"
#include "runs/run_record.h"
#include "settings/load.h"
#include "temporary_folder.h"
#include "train/trainer.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

std::function<int(const std::string& path)> on_fsync;

std::string path_of(int descriptor) {
  return fs::read_symlink("/proc/self/fd/" + std::to_string(descriptor)).string();
}

struct Observed {
  explicit Observed(std::function<int(const std::string&)> heed) { on_fsync = std::move(heed); }
  ~Observed() { on_fsync = nullptr; }
};

}  // namespace

/// In the place of the system's.
extern "C" int fsync(int descriptor) {
  const int why = on_fsync ? on_fsync(path_of(descriptor)) : 0;
  if (why == 0) return int(syscall(SYS_fsync, descriptor));
  errno = why;
  return -1;
}

extern "C" int fdatasync(int descriptor) {
  return fsync(descriptor);
}

TEST_CASE("a file is on the disk before it is put in its place, and then its folder is") {
  const testing::TemporaryFolder folder;
  std::vector<std::string> synced;
  std::vector<bool> in_place;
  const Observed observed([&](const std::string& path) {
    synced.push_back(path);
    in_place.push_back(fs::exists(folder / "file"));
    if (synced.size() == 1) CHECK(fs::file_size(path) == 4);  // nothing is left in a buffer
    return 0;
  });
  write_file(folder / "file", [](std::ostream& out) { out << "text"; });
  CHECK(synced == std::vector<std::string>{folder / "file.new", fs::canonical(folder.path())});
  CHECK(in_place == std::vector<bool>{false, true});
}

TEST_CASE("a file that does not reach the disk does not appear") {
  const testing::TemporaryFolder folder;
  const Observed observed([](const std::string&) { return EIO; });
  CHECK_THROWS_WITH_AS(write_file(folder / "file", [](std::ostream& out) { out << "text"; }),
                       doctest::Contains("file: cannot be written: Input/output error"), DataError);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a file system that cannot say what has reached the disk is no failure") {
  for (const int why : {EINVAL, ENOTSUP}) {
    const testing::TemporaryFolder folder;
    const Observed observed([=](const std::string&) { return why; });
    write_file(folder / "file", [](std::ostream& out) { out << "text"; });
    CHECK(fs::file_size(folder / "file") == 4);
    RunFolder run = RunFolder::create(folder / "run", "run");
    CHECK(run.sync() == "");
  }
}

TEST_CASE("a name that does not reach the disk is told") {
  const testing::TemporaryFolder folder;
  const auto is_folder = [](const std::string& path) { return fs::is_directory(path) ? EIO : 0; };
  const Observed observed(is_folder);
  CHECK_THROWS_WITH_AS(write_file(folder / "file", [](std::ostream& out) { out << "text"; }),
                       doctest::Contains("file: cannot be written: Input/output error"), DataError);
  CHECK(fs::file_size(folder / "file") == 4);
  CHECK_THROWS_WITH_AS(RunFolder::create(folder / "run", "run"),
                       doctest::Contains("cannot be written: Input/output error"), DataError);
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("no checkpoint is taken away for one that may not have reached the disk") {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  const auto save = [&](std::uint64_t version) {
    Checkpoint checkpoint{.version = version};
    checkpoint.sections["center"].counters["version"] = {version};
    return checkpoints.save(checkpoint, 1);
  };
  const fs::path first = folder / "checkpoints/version-1",
                 second = folder / "checkpoints/version-2";
  {
    const Observed observed([&](const std::string& path) {
      return path == fs::canonical(folder.path()) ? EIO : 0;  // it may lose the folder of them all
    });
    for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(save(1), DataError);
    CHECK(checkpoints.is_empty());
  }
  save(1);
  {
    const Observed observed([&](const std::string& path) {
      return path == fs::canonical(folder / "checkpoints") ? EIO : 0;
    });
    CHECK_THROWS_WITH_AS(save(2), doctest::Contains("version-2: cannot be written"), DataError);
  }
  CHECK(fs::exists(first));
  save(2);
  CHECK(fs::exists(second));
  CHECK_FALSE(fs::exists(first));
}

TEST_CASE("events that do not reach the disk are told to who is about to promise something") {
  const testing::TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", "run");
  run.log(WarningEvent{"first"});
  CHECK(run.sync() == "");
  const std::string complaint =
      folder / "run/metrics.jsonl" + ": cannot be written: Input/output error";
  {
    const Observed observed([](const std::string&) { return EIO; });
    CHECK(run.sync() == complaint);
    CHECK(run.sync() == complaint);
  }
  // The system tells of it once. What it has not written then is written anew.
  std::vector<std::string> synced;
  const Observed observed([&](const std::string& path) {
    synced.push_back(fs::path(path).filename());
    return 0;
  });
  run.log(WarningEvent{"second"});
  CHECK(run.sync() == "");
  CHECK(synced == std::vector<std::string>{"metrics.jsonl.new", "run"});
  run.log(WarningEvent{"third"});
  CHECK(run.sync() == "");
  CHECK(synced.back() == "metrics.jsonl");
  std::string told;
  for (const Event& event : read_run(folder / "run").events) {
    told += std::get<WarningEvent>(event).message + " ";
  }
  CHECK(told == "first second third ");
}

TEST_CASE("where there is no room for a checkpoint the oldest ones make room, never the latest") {
  for (const int why : {ENOSPC, EDQUOT, EIO}) {
    CAPTURE(why);
    const testing::TemporaryFolder folder;
    const CheckpointFolder checkpoints(folder.path());
    const auto save = [&](std::uint64_t version) {
      Checkpoint checkpoint{.version = version};
      checkpoint.sections["center"].counters["version"] = {version};
      checkpoints.save(checkpoint, 9);
    };
    const auto all = [&] {
      std::string names;
      for (int version = 1; version <= 6; ++version) {
        const std::string name = std::to_string(version);
        if (fs::exists(folder / "checkpoints/version-" + name)) names += name;
      }
      return names;
    };
    for (int version = 1; version <= 4; ++version) save(version);
    std::size_t room = 2;
    const Observed observed([&](const std::string& path) {
      return path.ends_with(".new") && all().size() > room ? why : 0;
    });
    if (why == EIO) {
      CHECK_THROWS_WITH_AS(save(5), doctest::Contains("Input/output error"), DataError);
      CHECK(all() == "1234");
      continue;
    }
    save(5);
    CHECK(all() == "345");
    room = 0;
    CHECK_THROWS_AS(save(6), NoRoom);
    CHECK(all() == "5");
  }
}

TEST_CASE("a center for which there is no room takes that of old checkpoints") {
  const testing::TemporaryFolder folder;
  RunFolder run = RunFolder::create(folder / "run", "run");
  const CheckpointFolder checkpoints(folder / "run");
  for (const std::uint64_t version : {1, 2, 3}) checkpoints.save({.version = version}, 9);
  const auto has = [&](const std::string& name) { return fs::exists(folder / ("run/" + name)); };
  const Observed observed([&](const std::string& path) {
    return path.ends_with("center.safetensors.new") && has("checkpoints/version-2") ? ENOSPC : 0;
  });
  run.write("center.safetensors", "a center");
  CHECK(has("center.safetensors"));
  CHECK_FALSE(has("checkpoints/version-1"));
  CHECK(has("checkpoints/version-3"));
  const Observed nothing_helps([](const std::string& path) {
    return path.ends_with("center.safetensors.new") ? ENOSPC : 0;
  });
  CHECK_THROWS_AS(run.write("center.safetensors", "another"), NoRoom);
  CHECK(has("checkpoints/version-3"));
}

TEST_CASE("events that were replaced and cannot be opened again end the attempt to go on") {
  const testing::TemporaryFolder folder;
  const fs::path path = folder / "run";
  RunFolder::create(path, "run").keep();
  std::ofstream(path / "metrics.jsonl") << R"({"event":"warning","message":"first"})"
                                        << "\n";
  RunFolder run = RunFolder::reopen(path);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const Observed observed([&](const std::string& synced) {  // no more files once it is in its place
    const rlimit none{0, files.rlim_max};
    if (fs::is_directory(synced)) setrlimit(RLIMIT_NOFILE, &none);
    return 0;
  });
  std::string complaint;
  try {
    run.drop_events([](const Event&) { return true; });
  } catch (const DataError& e) {
    complaint = e.what();
  }
  setrlimit(RLIMIT_NOFILE, &files);
  CHECK(complaint.ends_with("metrics.jsonl: cannot be written: Too many open files"));
}

TEST_CASE("no checkpoint is said to be safe before the disk has the events that it counts on") {
  struct Hurried final : RunClient {
    void line(const std::string& text) override { said += text + "\n"; }
    bool wants_end() override { return true; }
    std::string said;
  };
  const testing::TemporaryFolder folder;
  const Config config = load_config(EASGD_SOURCE_ROOT "/configs/synthetic_logistic.toml",
                                    {"data.limit=100", "data.test_limit=10", "workers.devices=cpu",
                                     "workers.threads=1", "stop.epochs=1000"});
  Hurried calm, alarmed;
  CHECK(train(config, folder / "calm", calm).status() == RunStatus::interrupted);
  CHECK(calm.said.find("is safe") != std::string::npos);
  const Observed observed(
      [](const std::string& path) { return path.ends_with("metrics.jsonl") ? EIO : 0; });
  const RunResult result = train(config, folder / "alarmed", alarmed);
  CHECK(result.status() == RunStatus::failed);
  CHECK(alarmed.said.find("is safe") == std::string::npos);
  CHECK_FALSE(fs::exists(folder / "alarmed/checkpoints"));
  REQUIRE(result.failure);
  CHECK_THROWS_WITH_AS(std::rethrow_exception(result.failure),
                       doctest::Contains("metrics.jsonl: cannot be written: Input/output error"),
                       DataError);
}

TEST_CASE("what a killed writer has left is taken away, and nothing else") {
  const testing::TemporaryFolder folder;
  const char* const names[] = {"a", "a.new", "a.new2", "a.new17", "b.new", "a.newer", "a.new.txt"};
  for (const char* name : names) write_file(folder / name, [](std::ostream& out) { out << 1; });
  remove_unfinished(folder.path(), [](const std::string& name) { return name == "a"; });
  for (const char* name : names) {
    CAPTURE(name);
    const bool was_unfinished = std::string(name).starts_with("a.new") &&
                                std::string(name) != "a.newer" && std::string(name) != "a.new.txt";
    CHECK(fs::exists(folder / name) != was_unfinished);
  }
  remove_unfinished(folder / "nowhere", [](const std::string&) { return true; });
}
