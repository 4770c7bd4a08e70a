#include "pictures/folder_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/open_file.h"
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
  std::size_t memory_of_names() const override { return list_.names.memory(); }

  PictureList list_;
};

/// Of a file that is no picture, or is not there any more, or of a machine that cannot read what
/// may be one.
[[noreturn]] void cannot_be_read(int error) {
  const std::string why = "cannot be read: " + reason(error);
  const bool is_machine = error == EIO || error == ESTALE || error == EMFILE || error == ENFILE ||
                          error == ENOMEM || error == ENOTCONN || error == ETIMEDOUT;
  if (is_machine) throw UnreadableNow(why);
  const bool is_out_of_reach =
      error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM;
  if (is_out_of_reach) throw Vanished(why);
  throw DataError(why);
}

}  // namespace

std::unique_ptr<Dataset> make_folder_set(PictureList list, OnBadImage on_bad) {
  return std::make_unique<FolderSet>(std::move(list), on_bad);
}

std::span<const std::uint8_t> read_picture(const fs::path& path,
                                           std::vector<std::uint8_t>& memory) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
  try {
    const OpenFile file(path);
    if (!file.is_regular()) throw DataError("expected a picture, found something that is no file");
    if (file.size() > kMostBytes)
      throw DataError(fmt::format("a file of {} bytes: expected a picture", file.size()));
    memory.resize(std::max<std::size_t>(memory.size(), file.size()));
    const auto bytes = file.read(0, std::span(memory).first(file.size()));
    if (bytes.size() < file.size()) throw DataError("has become shorter while it was read");
    return bytes;
  } catch (const std::system_error& error) {
    cannot_be_read(error.code().value());
  }
}

}  // namespace easgd
