// Checkpoints on disk: what is written is read, and what is not whole is found out.

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "runs/checkpoint_file.h"
#include "runs/checkpoint_folder.h"
#include "runs/journal.h"
#include "runs/run_record.h"
#include "runs/tf_record.h"
#include "temporary_folder.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

Checkpoint checkpoint_of(std::uint64_t version) {
  Checkpoint checkpoint{.version = version};
  SavedState& center = checkpoint.sections["center"];
  center.counters["version"] = {version};
  center.vectors["center"] = {1, -2.5f, 3};
  center.texts["absorbed"] = std::string("\0\1\2", 3);
  SavedState& worker = checkpoint.sections["worker 1"];
  worker.numbers["seconds"] = {0.1, 1e300};
  worker.vectors["v"] = {};
  checkpoint.sections["rule"];
  return checkpoint;
}

std::string bytes_of(const Checkpoint& checkpoint) {
  std::ostringstream bytes;
  write_checkpoint(bytes, checkpoint);
  return bytes.str();
}

/// What is wrong with a file of these bytes, or "nothing".
std::string complaint_of(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  try {
    read_checkpoint(path);
    return "nothing";
  } catch (const DataError& e) {
    return e.what();
  }
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("a checkpoint is read as it was written") {
  const testing::TemporaryFolder folder;
  const Checkpoint written = checkpoint_of(7);
  std::ofstream(folder / "c", std::ios::binary) << bytes_of(written);
  const Checkpoint read = read_checkpoint(folder / "c");
  CHECK(read.version == 7);
  CHECK(read.sections == written.sections);
}

TEST_CASE("a checkpoint that is cut short anywhere, or goes on, is refused") {
  const testing::TemporaryFolder folder;
  const std::string whole = bytes_of(checkpoint_of(7));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(complaint_of(folder / "c", whole.substr(0, length)) != "nothing");
  }
  CHECK(complaint_of(folder / "c", whole + "x").ends_with("c: goes on after its end"));
  CHECK(complaint_of(folder / "c", whole) == "nothing");
  CHECK(complaint_of(folder / "c", whole.substr(0, whole.find("worker 1") + 30))
            .ends_with("c: section \"worker 1\" is cut short or damaged"));
}

TEST_CASE("a bit that has changed anywhere in a checkpoint is found, and the section is named") {
  const testing::TemporaryFolder folder;
  const std::string whole = bytes_of(checkpoint_of(7));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    CAPTURE(at);
    std::string damaged = whole;
    damaged[at] = char(damaged[at] ^ (1 << at % 8));
    CHECK(complaint_of(folder / "c", damaged) != "nothing");
  }
  std::string damaged = whole;
  damaged[whole.find("seconds") + 20] ^= 1;
  CHECK(complaint_of(folder / "c", damaged)
            .ends_with("c: section \"worker 1\" is damaged (its checksum differs)"));
}

TEST_CASE("lengths in a checkpoint are not believed, though the checksum is right") {
  const testing::TemporaryFolder folder;
  const std::string magic = "easgd checkpoint 1\n";
  const auto number = [](auto value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  };
  for (const std::uint64_t count :
       {std::uint64_t(4), std::uint64_t(1) << 40, ~std::uint64_t(0), std::uint64_t(1) << 62}) {
    CAPTURE(count);
    std::ostringstream value, section, longer;
    value << 'f' << number(std::uint32_t(1)) << 'x' << number(count) << "12345678";
    section << number(std::uint32_t(1)) << 's' << number(std::uint64_t(value.str().size()))
            << value.str();
    longer << number(std::uint32_t(1)) << 's' << number(count) << "12345678";
    CHECK(complaint_of(folder / "c", magic + section.str() + number(crc32c(section.str())))
              .ends_with("section \"s\" a value in it is longer than itself"));
    CHECK(complaint_of(folder / "c", magic + longer.str()).find("damaged") != std::string::npos);
  }
  CHECK(complaint_of(folder / "c", magic + number(~std::uint32_t(0)))
            .ends_with("its first section is damaged"));
  CHECK(complaint_of(folder / "c", "{}").ends_with("is not a checkpoint of this program"));
}

TEST_CASE("a checkpoint by the name of another is passed over") {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  for (const std::uint64_t version : {3, 4}) checkpoints.save(checkpoint_of(version), 2);
  fs::rename(folder / "checkpoints/version-3", folder / "checkpoints/version-9999");
  std::string warned;
  CHECK(checkpoints.load([&](const std::string& text) { warned = text; }).value().version == 4);
  CHECK(warned.find("version-9999: is the checkpoint of version 3") != std::string::npos);
}

TEST_CASE("what a process that was killed in a write has left goes when the run goes on") {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  checkpoints.save(checkpoint_of(3), 2);
  for (const char* name :
       {"version-9.new", "version-4.new2", "notes.new", "version-09", "version-+9"}) {
    std::ofstream(folder / "checkpoints/" + name) << "half a checkpo";
  }
  CHECK(checkpoints.load([](const std::string&) {}).value().version == 3);
  CHECK(names_in(folder / "checkpoints") ==
        std::vector<std::string>{"notes.new", "version-+9", "version-09", "version-3"});
}

TEST_CASE("the last checkpoints stay, and where one is broken the one before is taken") {
  const testing::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  std::string warned;
  const auto load = [&] { return checkpoints.load([&](const std::string& w) { warned = w; }); };
  CHECK(checkpoints.is_empty());
  CHECK_FALSE(load());
  for (const std::uint64_t version : {2, 9, 10, 11}) checkpoints.save(checkpoint_of(version), 3);
  CHECK(names_in(folder / "checkpoints") ==
        std::vector<std::string>{"version-10", "version-11", "version-9"});
  CHECK(load().value().version == 11);
  fs::resize_file(folder / "checkpoints/version-11", 60);
  CHECK(load().value().version == 10);
  CHECK(
      warned.ends_with("version-11: section \"center\" is cut short or damaged; it is "
                       "version-11.broken now, and by its old name is tried again; the checkpoint "
                       "before it is taken"));
  CHECK(names_in(folder / "checkpoints") ==
        std::vector<std::string>{"version-10", "version-11.broken", "version-9"});
  for (const char* name : {"version-9", "version-10"}) {
    fs::resize_file(folder.path() / "checkpoints" / name, 60);
  }
  warned.clear();
  CHECK_THROWS_WITH_AS(load(), doctest::Contains("version-10: section \"center\""), DataError);
  CHECK(warned.empty());  // there is none before them
  for (const char* name : {"version-9", "version-10"}) {
    const fs::path path = folder.path() / "checkpoints" / name;
    fs::rename(path.string() + ".broken", path);
  }
  const std::string center = folder / "center.safetensors";
  std::ofstream(center) << "a center";
  CHECK_THROWS_WITH_AS(load(), doctest::Contains(("--set network.init=" + center).c_str()),
                       DataError);
}

TEST_CASE(
    "a checkpoint that cannot be read, or is of another version, stays, and so do the others") {
  const testing::TemporaryFolder folder;
  const fs::path checkpoints = folder / "checkpoints", latest = checkpoints / "version-9";
  const CheckpointFolder saved(folder.path());
  std::vector<std::string> warnings;
  const auto complaint = [&]() -> std::string {
    warnings.clear();
    try {
      const auto found = saved.load([&](const std::string& w) { warnings.push_back(w); });
      return found ? "version " + std::to_string(found->version) : "none";
    } catch (const DataError& e) {
      return e.what();
    }
  };
  for (const std::uint64_t version : {3, 4}) saved.save(checkpoint_of(version), 3);
  const auto before = names_in(checkpoints);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const rlimit none{0, files.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const std::string starved = complaint();
  setrlimit(RLIMIT_NOFILE, &files);
  CHECK(starved.ends_with("checkpoints: cannot be listed: Too many open files"));
  CHECK(names_in(checkpoints) == before);

  const std::string stays =
      "; it stays as it is, and may be whole: by another name it is passed over";
  fs::create_symlink(latest, latest);
  CHECK(
      complaint().ends_with("version-9: cannot be opened: Too many levels of symbolic links; "
                            "expected a checkpoint" +
                            stays));
  fs::remove(latest);
  std::ofstream(latest) << "easgd checkpoint 2\n and what comes with it";
  CHECK(complaint().ends_with("version-9: is of another version of this program" + stays));
  CHECK(warnings.empty());
  std::ofstream(checkpoints / "version-10") << "easgd check";
  CHECK(complaint().ends_with("another version of this program" + stays));
  REQUIRE(warnings.size() == 1);
  CHECK(
      warnings[0].ends_with("version-10: is not a checkpoint of this program; it is "
                            "version-10.broken now, and by its old name is tried again"));
  fs::rename(latest, checkpoints / "another");
  CHECK(complaint() == "version 4");
}

TEST_CASE("a checkpoint that is written again is promised again, and has one event") {
  const testing::TemporaryFolder folder;
  struct Listener final : RunClient {
    void line(const std::string& text) override { said += text + "\n"; }
    std::string said;
  } listener;
  RunFolder run = RunFolder::create(folder / "run", "run");
  run.log(CheckpointEvent{.version = 5});
  const Config config;
  Journal journal(config, run, listener);
  journal.go_on({.version = 5});
  journal.report(LostPart{.versions = 2, .seconds = 1.5});
  for (const std::uint64_t version : {5, 6, 6}) {
    journal.report(StoredCheckpoint{.version = version, .bytes = 2'000'000});
  }
  CHECK(listener.said ==
        "goes on from version 5, after 0.0 s; lost: 2 versions, 1.5 s\n"
        "version 5 is safe: checkpoints/version-5, 2 MB in 0.00 s\n"
        "version 6 is safe: checkpoints/version-6, 2 MB in 0.00 s\n"
        "version 6 is safe: checkpoints/version-6, 2 MB in 0.00 s\n");
  std::vector<std::uint64_t> versions;
  for (const Event& event : read_run(folder / "run").events) {
    if (const auto* saved = std::get_if<CheckpointEvent>(&event))
      versions.push_back(saved->version);
  }
  CHECK(versions == std::vector<std::uint64_t>{5, 6});
}
