#pragma once

#include <filesystem>
#include <string>

namespace easgd {

/// Why the file at `path` cannot be read: "is a folder", "cannot be opened: Permission denied".
/// Empty if it can be, as far as is known without opening what may wait, as a pipe does.
std::string why_unreadable(const std::filesystem::path& path);

}  // namespace easgd
