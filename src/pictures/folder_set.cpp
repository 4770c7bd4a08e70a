#include "pictures/folder_set.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/reason.h"
#include "pictures/decode.h"
#include "pictures/picture_set.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

class FolderSet final : public PictureSet {
 public:
  FolderSet(PictureList list, OnBadImage on_bad)
      : PictureSet(int(list.classes.size()), list.labels, on_bad), list_(std::move(list)) {
    list_.labels = {};  // the base has them
  }

  std::string image_name(std::size_t index) const override { return list_.path(index).string(); }

 private:
  CutImage decoded(std::size_t index, const ChooseCut& choose, Scratch& scratch) const override {
    thread_local std::vector<std::uint8_t> memory;
    return {decode(read_picture(list_.path(index), memory), choose, scratch)};
  }

  PictureList list_;
};

/// A file that is open, or errno says why not.
class OpenFile {
 public:
  // A pipe without a writer must not be waited for.
  explicit OpenFile(const fs::path& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  OpenFile(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Of a file that is no picture, or of a machine that cannot read what may be one.
[[noreturn]] void cannot(const char* what, int error) {
  const std::string why = fmt::format("cannot be {}: {}", what, reason(error));
  const bool is_machine = error == EIO || error == ESTALE || error == EMFILE || error == ENFILE ||
                          error == ENOMEM || error == ENOTCONN || error == ETIMEDOUT;
  if (is_machine) throw UnreadableNow(why);
  throw DataError(why);
}

}  // namespace

std::unique_ptr<Dataset> make_folder_set(PictureList list, OnBadImage on_bad) {
  return std::make_unique<FolderSet>(std::move(list), on_bad);
}

std::span<const std::uint8_t> read_picture(const fs::path& path,
                                           std::vector<std::uint8_t>& memory) {
  constexpr off_t kMostBytes = off_t(1) << 30;
  const OpenFile file(path);
  struct stat status {};
  if (file.descriptor() < 0 || fstat(file.descriptor(), &status) != 0) cannot("opened", errno);
  if (!S_ISREG(status.st_mode)) throw DataError("expected a picture, found no file");
  if (status.st_size > kMostBytes)
    throw DataError(fmt::format("a file of {} bytes: expected a picture", status.st_size));
  const auto size = std::size_t(status.st_size);
  memory.resize(std::max(memory.size(), size));
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = read(file.descriptor(), memory.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) cannot("read", errno);
    if (got == 0) throw DataError("has become shorter while it was read");
    done += std::size_t(got);
  }
  return std::span(memory).first(size);
}

}  // namespace easgd
