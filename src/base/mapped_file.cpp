#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/reason.h"

namespace easgd {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int descriptor) {
  const int why = errno;
  if (descriptor >= 0) close(descriptor);
  throw DataError(path.string() + ": cannot be read: " + reason(why));
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (descriptor < 0 || fstat(descriptor, &status) != 0) fail(path, descriptor);
  const auto size = std::size_t(status.st_size);
  if (size > 0) {  // the system maps no empty file
    void* start = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (start == MAP_FAILED) fail(path, descriptor);
    bytes_ = {static_cast<const std::uint8_t*>(start), size};
  }
  close(descriptor);  // the mapping stays
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace easgd
