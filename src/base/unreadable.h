#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace easgd {

/// Why the file at `path` cannot be read: "is a folder", "cannot be opened: Permission denied".
/// Empty if it can be, as far as is known without opening what may wait, as a pipe does.
std::string why_unreadable(const std::filesystem::path& path);

/// The same of a file that a program is to have left in its folder: also if it is none that has an
/// end, as a pipe or a device has not, or is longer than `most` bytes.
std::string why_unreadable(const std::filesystem::path& path, std::uint64_t most);

/// Of text that is read as a whole, and of a log, to which a run of months adds lines.
constexpr std::uint64_t kLongestText = std::uint64_t(64) << 20, kLongestLog = std::uint64_t(4)
                                                                              << 30;

}  // namespace easgd
