// The control groups of Linux, in which a container finds what it may have.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace easgd {

struct ControlGroup {
  std::filesystem::path folder;
  bool unified = false;  ///< version 2
};

/// Those that this process is in and that a controller ("cpu", "memory") may limit, each before the
/// one above it: a group has no more than those above it. `proc` and the mounted groups are looked
/// for in `root`.
std::vector<ControlGroup> control_groups(const std::string& controller,
                                         const std::filesystem::path& root = "/");

}  // namespace easgd
