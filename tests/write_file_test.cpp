// A file has reached the disk when it appears, and so has its name when its writing returns.
#include "base/write_file.h"

#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "temporary_folder.h"

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
  const testing::TemporaryFolder folder;
  const Observed observed([](const std::string&) { return EINVAL; });
  write_file(folder / "file", [](std::ostream& out) { out << "text"; });
  CHECK(fs::file_size(folder / "file") == 4);
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
