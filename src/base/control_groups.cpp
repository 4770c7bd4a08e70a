#include "base/control_groups.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

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

/// A hierarchy of control groups that the controller may limit.
struct Hierarchy {
  bool unified = false;  ///< version 2
  std::string group;     ///< of this process, as the kernel names it
};

/// From lines "4:cpu,cpuacct:/docker/0a1b" (version 1) and "0::/user.slice" (version 2).
std::vector<Hierarchy> hierarchies(const std::string& controller, const fs::path& root) {
  std::vector<Hierarchy> found;
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() || has(split(controllers, ','), controller)) {
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
std::optional<Mount> find_mount(const std::string& controller, const fs::path& root, bool unified) {
  std::ifstream lines(root / "proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == line.npos) continue;
    const auto left = split(line.substr(0, dash), ' '), right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (unified ? right[0] == "cgroup2"
                : right[0] == "cgroup" && has(split(right[2], ','), controller))
      return Mount{left[3], left[4]};
  }
  return std::nullopt;
}

}  // namespace

std::vector<ControlGroup> control_groups(const std::string& controller, const fs::path& root) {
  std::vector<ControlGroup> all;
  for (const Hierarchy& hierarchy : hierarchies(controller, root)) {
    const auto mount = find_mount(controller, root, hierarchy.unified);
    if (!mount) continue;
    // The part of the group's name that lies below the mount; empty in some containers.
    std::string below = hierarchy.group;
    if (mount->group != "/") {
      const bool is_below = (below + "/").starts_with(mount->group + "/");
      below = is_below ? below.substr(mount->group.size()) : "";
    }
    const fs::path top = root / fs::path(mount->point).relative_path();
    fs::path group = top / fs::path(below).relative_path();
    for (std::size_t depth = split(below, '/').size() + 1; depth > 0; --depth) {
      all.push_back({group, hierarchy.unified});
      if (group == top || !group.has_relative_path()) break;
      group = group.parent_path();
    }
  }
  return all;
}

}  // namespace easgd
