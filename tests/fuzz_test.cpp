// Is nothing that anybody may hand over more than a refusal? Inputs that were kept, seeds and those
// that once showed a fault, through the targets of tests/fuzz, without a fuzzer.
#include <doctest/doctest.h>

#include <iterator>

#include "fuzz/target.h"

using namespace easgd;
using testing::FuzzTarget;

namespace {

namespace fs = std::filesystem;

const fs::path kFolder = EASGD_SOURCE_ROOT "/tests/fuzz";

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Gives every file of a folder to a target; returns how many there are.
std::size_t replay(const fs::path& folder, const FuzzTarget& target) {
  std::size_t count = 0;
  if (!fs::is_directory(folder)) return count;
  for (const auto& entry : fs::directory_iterator(folder)) {
    CAPTURE(entry.path().string());
    CHECK_NOTHROW(target.read(bytes_of(entry.path())));
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("kept inputs of every target are read or refused in a line") {
  for (const std::string& name : Registry<FuzzTarget>::names()) {
    const FuzzTarget& target = Registry<FuzzTarget>::get(name);
    CAPTURE(name);
    CHECK(replay(kFolder / "seeds" / name, target) > 0);
    replay(kFolder / "found" / name, target);
    CHECK_NOTHROW(target.read(""));
  }
}

TEST_CASE("kept inputs belong to a target") {
  for (const char* kind : {"seeds", "found"}) {
    if (!fs::exists(kFolder / kind)) continue;
    for (const auto& entry : fs::directory_iterator(kFolder / kind)) {
      CAPTURE(entry.path().string());
      CHECK(Registry<FuzzTarget>::find(entry.path().filename().string()));
    }
  }
}

TEST_CASE("what nests as deep as it is long is read or refused in a line") {
  const std::size_t depth = 400'000;
  std::string open(depth, '['), close(depth, ']'), dots;
  for (std::size_t i = 0; i < depth; ++i) dots += ".a";
  const std::string lists = open + close, header = R"({"a":{"dtype":"F32","shape":)" + lists + "}}";
  const std::uint64_t size = header.size();
  const std::pair<const char*, std::string> files[] = {
      {"metrics", R"({"event":"evaluation","time":)" + lists + "}\n"},
      {"metrics", lists + "\n"},
      {"summary", R"({"status":"done","tau":)" + lists + "}"},
      {"summary", lists},
      {"manifest", R"({"event":"run","state":)" + lists + "}\n"},
      {"safetensors", std::string(reinterpret_cast<const char*>(&size), sizeof size) + header},
      {"config", "a = " + lists},
      {"config", "a" + dots + " = 1\n"},
      {"config", "[a" + dots + "]\n"},
      {"flat_table", "a" + dots + " = 1\n"},
      {"sweep", "base = \"base.toml\"\nrequire = \"" + std::string(depth, '(') + "\"\n"},
      {"sweep", "a" + dots + " = 1\n"},
      {"sweep", "base = \"base.toml\"\n[axes]\n\"a" + dots + "\" = [1]\n"}};
  for (const auto& [target, bytes] : files) {
    CAPTURE(target);
    CAPTURE(bytes.substr(0, 40));
    CHECK_NOTHROW(Registry<FuzzTarget>::get(target).read(bytes));
  }
}
