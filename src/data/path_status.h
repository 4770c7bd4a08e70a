// What stands at a path, and how that is reported if it is not what was expected.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

namespace easgd {

/// What stands at a path, links followed. Of type none if `error` keeps that from being known.
struct PathStatus {
  std::filesystem::file_type type;
  std::error_code error;

  bool is(std::filesystem::file_type other) const { return type == other; }
  bool there() const {
    return type != std::filesystem::file_type::none &&
           type != std::filesystem::file_type::not_found;
  }
};

PathStatus status_of(const std::filesystem::path& path);

/// " a link to x, which is not there", of a path with nothing behind it; empty if it is no link.
std::string dangling_link(const std::filesystem::path& path);

/// Throws: DataError.
[[noreturn]] void cannot_examine(const std::filesystem::path& path, const std::error_code& error);

/// If something else has a file's name, or nothing can be said of it.
/// Throws: DataError.
[[noreturn]] void not_a_file(const std::filesystem::path& path, const PathStatus& status);

}  // namespace easgd
