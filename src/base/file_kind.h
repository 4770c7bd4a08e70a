// Says of a file that is not what was expected what it is instead.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace easgd {

/// Why the file at `path` cannot be read: "is a folder", "cannot be opened: Permission denied".
/// Empty where it can be, as far as is known without opening it. Never waits, as for a pipe.
std::string why_unreadable(const std::filesystem::path& path);

/// "a gzip archive", "UTF-16 text" and the like, by how a file begins; empty where it is not known.
std::string kind_of_file(std::string_view beginning);

}  // namespace easgd
