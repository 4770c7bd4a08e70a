#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace easgd {

/// Bytes of the machine's memory that this process may still have before anybody has to be stopped:
/// what the kernel calls available, and no more than the control groups leave that it is in. Swap
/// is not counted. Nothing where the kernel does not say. `proc` and the mounted groups are looked
/// for in `root`.
std::optional<std::uint64_t> available_memory(const std::filesystem::path& root = "/");

}  // namespace easgd
