#include "base/appended_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace easgd {
namespace {

/// Where the last whole line of a file ends; below 0, with errno, if it cannot be read.
off_t end_of_lines(int descriptor) {
  char part[4096];
  off_t end = lseek(descriptor, 0, SEEK_END);
  while (end > 0) {
    const off_t begin = std::max<off_t>(0, end - off_t(sizeof part));
    const ssize_t count = pread(descriptor, part, std::size_t(end - begin), begin);
    if (count == 0) errno = EIO;
    if (count <= 0) return -1;
    const std::string_view text(part, std::size_t(count));
    if (const std::size_t at = text.rfind('\n'); at != text.npos) return begin + off_t(at) + 1;
    end = begin;
  }
  return end;
}

}  // namespace

AppendedFile::AppendedFile(const std::filesystem::path& path, int flags)
    : path_(path), descriptor_(open(path.c_str(), flags | O_APPEND | O_CLOEXEC, 0666)) {}

AppendedFile::AppendedFile(AppendedFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

AppendedFile& AppendedFile::operator=(AppendedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

AppendedFile::~AppendedFile() {
  if (is_open()) close(descriptor_);
}

bool AppendedFile::lock() {
  return flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
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
  struct stat there {};
  const bool is_lost = fstat(descriptor_, &there) == 0 && there.st_nlink == 0;
  if (is_lost) return path_.string() + ": was taken away: what is written to it is lost";
  if (done == record.size()) return {};
  const int why = errno;
  const bool mended = done == 0 || ftruncate(descriptor_, end) == 0;
  return complaint(why) + (mended ? "" : ", and its last record is cut short");
}

std::string AppendedFile::sync() {
  const bool is_done = fdatasync(descriptor_) == 0 || errno == EINVAL || errno == ENOTSUP;
  return is_done ? "" : complaint(errno);
}

std::string AppendedFile::drop_torn_line() {
  const off_t end = end_of_lines(descriptor_);
  return end >= 0 && ftruncate(descriptor_, end) == 0 ? "" : complaint(errno);
}

std::string AppendedFile::complaint(int why) const {
  return path_.string() + ": cannot be written: " + std::strerror(why);
}

SharedLock::SharedLock(const std::filesystem::path& path)
    : descriptor_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)),  // it may be a pipe
      refused_(descriptor_ != -1 && flock(descriptor_, LOCK_SH | LOCK_NB) != 0 &&
               errno == EWOULDBLOCK) {}

SharedLock::~SharedLock() {
  if (descriptor_ != -1) close(descriptor_);
}

}  // namespace easgd
