#include "base/line_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
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

LineFile::~LineFile() {
  if (descriptor_ != -1) close(descriptor_);
}

LineFile::LineFile(LineFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), torn_(other.torn_) {}

LineFile& LineFile::operator=(LineFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(torn_, other.torn_);
  return *this;
}

LineFile::Opened LineFile::open(const std::filesystem::path& path) {
  *this = LineFile();
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ == -1) return Opened::failed;
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return Opened::busy;
  const off_t end = end_of_lines(descriptor_);
  return end < 0 || ftruncate(descriptor_, end) != 0 ? Opened::failed : Opened::yes;
}

int LineFile::append(const std::string& line) {
  const std::string text = line + "\n";
  const off_t end = lseek(descriptor_, 0, SEEK_END);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t part = ::write(descriptor_, text.data() + done, text.size() - done);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) break;
    done += std::size_t(part);
  }
  if (done == text.size()) return 0;
  const int why = errno;
  // Half a line would spoil the next.
  torn_ = done > 0 && ftruncate(descriptor_, end) != 0;
  return why;
}

int LineFile::sync() {
  return fdatasync(descriptor_) == 0 || errno == EINVAL ? 0 : errno;
}

}  // namespace easgd
