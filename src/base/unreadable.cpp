#include "base/unreadable.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace easgd {

std::string why_unreadable(const std::filesystem::path& path) {
  const auto because = [] { return std::string("cannot be opened: ") + std::strerror(errno); };
  if (path.native().find('\0') != std::string::npos) return "cannot be opened: a NUL in its name";
  struct stat there {};
  if (stat(path.c_str(), &there) != 0) return because();
  if (S_ISDIR(there.st_mode)) return "is a folder";
  if (!S_ISREG(there.st_mode)) return access(path.c_str(), R_OK) == 0 ? "" : because();
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return because();
  close(file);
  return "";
}

std::string why_unreadable(const std::filesystem::path& path, std::uint64_t most) {
  if (std::string why = why_unreadable(path); !why.empty()) return why;
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) return "is no regular file";
  return size <= most ? "" : fmt::format("has {} bytes, more than {}", size, most);
}

}  // namespace easgd
