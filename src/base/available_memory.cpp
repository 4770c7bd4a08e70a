#include "base/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "base/control_groups.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

/// The number behind a word, as in "MemAvailable:  21000 kB" and "inactive_file 4096"; 0 if there
/// is none.
std::uint64_t number_of(const fs::path& file, const std::string& word) {
  std::ifstream lines(file);
  for (std::string found; lines >> found;) {
    std::uint64_t number = 0;
    if (found == word && lines >> number) return number;
    lines.clear();
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

std::optional<std::uint64_t> only_number(const fs::path& file) {
  std::uint64_t number = 0;
  if (std::ifstream(file) >> number) return number;  // "max" is none
  return std::nullopt;
}

/// What a group leaves of its limit. Files that nobody has used lately make room.
std::optional<std::uint64_t> left_by(const ControlGroup& group) {
  const bool v2 = group.unified;
  const auto limit = only_number(group.folder / (v2 ? "memory.max" : "memory.limit_in_bytes"));
  const auto used = only_number(group.folder / (v2 ? "memory.current" : "memory.usage_in_bytes"));
  if (!limit || !used) return std::nullopt;
  const std::uint64_t files =
      number_of(group.folder / "memory.stat", v2 ? "inactive_file" : "total_inactive_file");
  const std::uint64_t kept = *used - std::min(*used, files);
  return *limit - std::min(*limit, kept);
}

}  // namespace

std::optional<std::uint64_t> available_memory(const fs::path& root) {
  constexpr std::uint64_t kKilo = 1024;
  const std::uint64_t available = kKilo * number_of(root / "proc/meminfo", "MemAvailable:");
  if (available == 0) return std::nullopt;
  std::uint64_t least = available;
  for (const ControlGroup& group : control_groups("memory", root)) {
    least = std::min(least, left_by(group).value_or(least));
  }
  return least;
}

}  // namespace easgd
