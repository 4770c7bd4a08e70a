// How much of the machine's processor this process may have.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace easgd {

/// Cores that the calling thread may run on (taskset, cpuset), at least 1.
std::size_t allowed_cores();

/// The least CPU quota, in cores, of the control groups (versions 1 and 2) that this process is in,
/// as a container has; nothing if there is none. `proc` and the mounted groups are looked for in
/// `root`.
std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

/// How many threads this process can keep busy: one per core, and no more than its quota pays for,
/// rounded down; at least 1. The quota is read once.
std::size_t usable_cores();

/// "2 cores", or "1 core (of 2: the CPU quota is 1.5)".
std::string describe_cores();

}  // namespace easgd
