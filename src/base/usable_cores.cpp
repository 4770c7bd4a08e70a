#include "base/usable_cores.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <vector>

namespace easgd {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::count(words, word) > 0;
}

/// A hierarchy of control groups that can limit the CPU.
struct Hierarchy {
  bool unified = false;  ///< version 2
  std::string group;     ///< of this process, as the kernel names it
};

/// From lines "4:cpu,cpuacct:/docker/0a1b" (version 1) and "0::/user.slice" (version 2).
std::vector<Hierarchy> hierarchies(const fs::path& root) {
  std::vector<Hierarchy> found;
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() || has(split(controllers, ','), "cpu")) {
      found.push_back({controllers.empty(), line.substr(second + 1)});
    }
  }
  return found;
}

/// Where a hierarchy is mounted, and which group lies there.
struct Mount {
  std::string group, point;
};

/// From a line "42 31 0:39 GROUP POINT OPTIONS [...] - TYPE SOURCE SUPER_OPTIONS".
std::optional<Mount> find_mount(const fs::path& root, bool unified) {
  std::ifstream lines(root / "proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == line.npos) continue;
    const auto left = split(line.substr(0, dash), ' '), right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (unified ? right[0] == "cgroup2" : right[0] == "cgroup" && has(split(right[2], ','), "cpu"))
      return Mount{left[3], left[4]};
  }
  return std::nullopt;
}

/// Of one group: version 2 has "max 100000" or "150000 100000", version 1 a file for each number.
std::optional<double> quota_of(const fs::path& group, bool unified) {
  double quota = -1, period = 0;
  if (unified) {
    std::ifstream(group / "cpu.max") >> quota >> period;  // "max" is no number
  } else {
    std::ifstream(group / "cpu.cfs_quota_us") >> quota;
    std::ifstream(group / "cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? std::optional(quota / period) : std::nullopt;
}

}  // namespace

std::size_t allowed_cores() {
  // The kernel refuses a set that is smaller than its own.
  for (int room = 1024; room <= 1 << 20; room *= 2) {
    cpu_set_t* set = CPU_ALLOC(std::size_t(room));
    const std::size_t bytes = CPU_ALLOC_SIZE(std::size_t(room));
    const bool known = set && sched_getaffinity(0, bytes, set) == 0;
    const int why = errno;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    if (set) CPU_FREE(set);
    if (known) return std::size_t(std::max(count, 1));
    if (why != EINVAL) break;
  }
  return 1;
}

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for (const Hierarchy& hierarchy : hierarchies(root)) {
    const auto mount = find_mount(root, hierarchy.unified);
    if (!mount) continue;
    // The part of the group's name that lies below the mount; empty in some containers.
    std::string below = hierarchy.group;
    if (mount->group != "/") {
      const bool is_below = (below + "/").starts_with(mount->group + "/");
      below = is_below ? below.substr(mount->group.size()) : "";
    }
    const fs::path top = root / fs::path(mount->point).relative_path();
    fs::path group = top / fs::path(below).relative_path();
    // A group has no more than those above it.
    for (std::size_t depth = split(below, '/').size() + 1; depth > 0; --depth) {
      const auto quota = quota_of(group, hierarchy.unified);
      if (quota) least = std::min(least.value_or(*quota), *quota);
      if (group == top || !group.has_relative_path()) break;
      group = group.parent_path();
    }
  }
  return least;
}

namespace {

std::optional<double> own_quota() {
  static const std::optional<double> kQuota = cpu_quota();
  return kQuota;
}

}  // namespace

std::size_t usable_cores() {
  const std::size_t allowed = allowed_cores();
  const auto quota = own_quota();
  return quota ? std::clamp<std::size_t>(std::size_t(*quota), 1, allowed) : allowed;
}

std::string describe_cores() {
  const std::size_t usable = usable_cores(), allowed = allowed_cores();
  std::string text = fmt::format("{} core{}", usable, usable == 1 ? "" : "s");
  if (usable < allowed)
    text += fmt::format(" (of {}: the CPU quota is {:.4g})", allowed, *own_quota());
  return text;
}

}  // namespace easgd
