#include "base/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace easgd {
namespace {

[[noreturn]] void fail(int error) {
  throw std::system_error(error, std::generic_category());
}

}  // namespace

OpenFile::OpenFile(const std::filesystem::path& path)
    : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) fail(errno);
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) {
    const int error = errno;
    close(descriptor_);
    fail(error);
  }
  is_regular_ = S_ISREG(status.st_mode);
  size_ = std::uint64_t(status.st_size);
}

OpenFile::OpenFile(OpenFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      is_regular_(other.is_regular_),
      size_(other.size_) {}

OpenFile::~OpenFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::span<const std::uint8_t> OpenFile::read(std::uint64_t offset,
                                             std::span<std::uint8_t> memory) const {
  std::size_t done = 0;
  while (done < memory.size()) {
    const ssize_t got =
        pread(descriptor_, memory.data() + done, memory.size() - done, off_t(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(errno);
    if (got == 0) break;
    done += std::size_t(got);
  }
  return memory.first(done);
}

void OpenFile::will_read(std::uint64_t offset, std::uint64_t bytes) const {
  posix_fadvise(descriptor_, off_t(offset), off_t(bytes),
                POSIX_FADV_WILLNEED);  // a hint: it may fail
}

}  // namespace easgd
