#include "base/write_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <ext/stdio_filebuf.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace easgd {
namespace {

constexpr int kMostNames = 1000;                  // that are taken already
constexpr std::string_view kUnfinished = ".new";  // and a number, if that name was taken

/// A file beside `path` that was not there before, opened to be written; errno if there is none.
struct NewFile {
  std::filesystem::path path;
  int descriptor = -1;
};

NewFile make_beside(const std::filesystem::path& path) {
  NewFile file;
  for (int n = 1; n <= kMostNames; ++n) {
    file.path = fmt::format("{}{}{}", path.string(), kUnfinished, n == 1 ? "" : std::to_string(n));
    file.descriptor = open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.descriptor != -1 || errno != EEXIST) break;
  }
  return file;
}

/// Takes a file away that was not put in its place.
struct Unlink {
  const std::filesystem::path* path;
  ~Unlink() {
    if (path) unlink(path->c_str());
  }
};

/// Has what was written reach the disk. Returns an errno, or 0; not every file can be asked that.
int make_durable(int descriptor) {
  if (fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP) return 0;
  return errno;
}

/// Closes the descriptor. Returns an errno, or 0.
int fill_file(int descriptor, const std::function<void(std::ostream&)>& fill) {
  errno = 0;
  __gnu_cxx::stdio_filebuf<char> buffer(descriptor, std::ios::out | std::ios::binary);
  std::ostream stream(&buffer);
  fill(stream);
  stream.flush();
  if (stream.good()) {
    const int why = make_durable(descriptor);
    if (buffer.close() && why == 0) return 0;
    if (why != 0) return why;
  }
  return errno != 0 ? errno : EIO;
}

/// A file is whole with its name or without: a folder that may be written and not read, or that
/// cannot be asked, is not asked. Returns an errno, or 0.
int make_durable_in(const std::filesystem::path& folder) {
  const char* const path = folder.empty() ? "." : folder.c_str();
  const int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor == -1) return errno == EACCES ? 0 : errno;
  const int why = make_durable(descriptor);
  close(descriptor);
  return why;
}

/// Returns an errno, or 0.
int put_in_place(const std::filesystem::path& from, const std::filesystem::path& to,
                 bool replaces) {
  if (replaces) return rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system, or a kernel, that cannot do both at once.
  if (faccessat(AT_FDCWD, to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  return rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

void write(const std::filesystem::path& path, const std::function<void(std::ostream&)>& fill,
           bool replaces) {
  const NewFile beside = make_beside(path);
  int why = errno;
  if (beside.descriptor != -1) {
    Unlink unless_placed{&beside.path};
    why = fill_file(beside.descriptor, fill);
    if (why == 0) why = put_in_place(beside.path, path, replaces);
    if (why == 0) {
      unless_placed.path = nullptr;
      why = make_durable_in(path.parent_path());
    }
    if (why == 0) return;
  }
  const std::string complaint = fmt::format(
      "{}: cannot be written: {}", path.string(),
      why == EEXIST ? "another's file of that name has come there" : std::strerror(why));
  if (why == ENOSPC || why == EDQUOT) throw NoRoom(complaint);
  throw DataError(complaint);
}

}  // namespace

void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& fill) {
  write(path, fill, true);
}

void write_new_file(const std::filesystem::path& path,
                    const std::function<void(std::ostream&)>& fill) {
  write(path, fill, false);
}

void remove_unfinished(const std::filesystem::path& folder,
                       const std::function<bool(const std::string& name)>& is_ours) {
  std::error_code error, ignored;
  std::vector<std::filesystem::path> unfinished;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const std::size_t at = name.rfind(kUnfinished);
    if (at == name.npos || !is_ours(name.substr(0, at))) continue;
    if (name.find_first_not_of("0123456789", at + kUnfinished.size()) == name.npos) {
      unfinished.push_back(entry->path());
    }
  }
  for (const auto& path : unfinished) std::filesystem::remove(path, ignored);
}

std::string make_names_durable(const std::filesystem::path& folder) {
  const int why = make_durable_in(folder);
  if (why == 0) return "";
  return fmt::format("{}: cannot be written: {}", folder.empty() ? "." : folder.string(),
                     std::strerror(why));
}

}  // namespace easgd
