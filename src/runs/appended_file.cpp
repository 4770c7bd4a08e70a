#include "runs/appended_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace easgd {

AppendedFile::AppendedFile(const std::filesystem::path& path, int flags)
    : path_(path), descriptor_(open(path.c_str(), flags | O_APPEND | O_CLOEXEC, 0666)) {}

AppendedFile::AppendedFile(AppendedFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      failed_(other.failed_) {}

AppendedFile& AppendedFile::operator=(AppendedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(failed_, other.failed_);
  return *this;
}

AppendedFile::~AppendedFile() {
  if (is_open()) close(descriptor_);
}

std::string AppendedFile::append(std::string_view record) {
  const off_t end = lseek(descriptor_, 0, SEEK_END);
  std::size_t done = 0;
  while (done < record.size()) {
    const ssize_t part = ::write(descriptor_, record.data() + done, record.size() - done);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) break;
    done += std::size_t(part);
  }
  if (done == record.size()) return {};
  const int why = errno;
  const bool mended = done == 0 || ftruncate(descriptor_, end) == 0;
  if (std::exchange(failed_, true)) return {};
  return path_.string() + ": cannot be written: " + std::strerror(why) + "; the run goes on" +
         (mended ? "" : ", and the last record is cut short");
}

}  // namespace easgd
