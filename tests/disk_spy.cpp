// Loaded into a program before its libraries (LD_PRELOAD): sees every call that changes the folder
// EASGD_SPY_FOLDER, in one order.
//
//   EASGD_SPY_RECORD=FILE  appends each call to FILE, with what the program says on standard error,
//                          see tools/powercut
//   EASGD_SPY_KILL=K       ends the program with SIGKILL at the Kth of these calls: before it is
//                          made, or in the middle of a write
#undef _FILE_OFFSET_BITS  // open and open64 are two names
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>

namespace {

/// A record: this, then path, other path and data. Little-endian, as tools/powercut reads it.
struct __attribute__((packed)) Head {
  char kind;  ///< create, write, truncate, sync, rename, unlink, mkdir, say: its first letter
  std::uint32_t path_size, other_size;
  std::uint64_t at;  ///< where a write begins, or how long a file is left
  std::uint64_t data_size;
};

struct Call {
  char kind;
  std::string path, other = {};
  std::uint64_t at = 0;
  std::string_view data = {};
};

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Never destroyed: threads may write while the program ends.
struct Spy {
  const std::string folder = setting("EASGD_SPY_FOLDER"), record = setting("EASGD_SPY_RECORD");
  const int file = record.empty() ? -1
                                  : int(syscall(SYS_openat, AT_FDCWD, record.c_str(),
                                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  std::uint64_t calls_left = std::strtoull(setting("EASGD_SPY_KILL").c_str(), nullptr, 10);
  std::mutex mutex;
};

Spy& spy() {
  static Spy* const only = new Spy;
  return *only;
}

std::string path_of(int descriptor) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return size < 0 ? "" : std::string(path, std::size_t(size));
}

std::string path_at(int folder, const char* path) {
  if (path[0] == '/') return path;
  if (folder != AT_FDCWD) return path_of(folder) + "/" + path;
  char here[PATH_MAX];
  return std::string(getcwd(here, sizeof here) ? here : "") + "/" + path;
}

bool is_watched(const std::string& path) {
  const std::string& folder = spy().folder;
  return !folder.empty() && (path == folder || path.starts_with(folder + "/"));
}

void note(const Call& call) {
  const Head head{call.kind, std::uint32_t(call.path.size()), std::uint32_t(call.other.size()),
                  call.at, call.data.size()};
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes.append(call.path).append(call.other).append(call.data);
  for (std::size_t done = 0; done < bytes.size();) {
    const long part = syscall(SYS_write, spy().file, bytes.data() + done, bytes.size() - done);
    if (part <= 0) _exit(98);
    done += std::size_t(part);
  }
}

/// Makes a call that changes the folder: the `half` of it, and no more, if the program is to end.
template <class Make, class Half>
long watched(Call call, const Make& make, const Half& half) {
  Spy& it = spy();
  const std::lock_guard lock(it.mutex);
  if (it.calls_left > 0 && call.kind != 's' && --it.calls_left == 0) {
    half();
    kill(getpid(), SIGKILL);
    pause();
  }
  const long result = make();
  if (result < 0 || it.file == -1) return result;
  const int why = errno;
  if (call.kind == 'w') call.data = call.data.substr(0, std::size_t(result));
  note(call);
  errno = why;
  return result;
}

template <class Make>
long watched(Call call, const Make& make) {
  return watched(std::move(call), make, [] {});
}

std::uint64_t place_of(int descriptor) {
  const bool appends = (fcntl(descriptor, F_GETFL) & O_APPEND) != 0;
  return std::uint64_t(lseek(descriptor, 0, appends ? SEEK_END : SEEK_CUR));
}

long open_at(int folder, const char* path, int flags, mode_t mode) {
  const auto make = [&] { return syscall(SYS_openat, folder, path, flags, mode); };
  const std::string whole = path_at(folder, path);
  if (!is_watched(whole)) return make();
  struct stat ignored;
  const bool is_there = fstatat(folder, path, &ignored, AT_SYMLINK_NOFOLLOW) == 0;
  if ((flags & O_CREAT) && !is_there) return watched({'c', whole}, make);
  if (flags & O_TRUNC) return watched({'t', whole}, make);
  return make();
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* bytes, std::size_t size) {
  const auto make = [&] { return syscall(SYS_write, descriptor, bytes, size); };
  const std::string_view data(static_cast<const char*>(bytes), size);
  if (descriptor == 2 && spy().file != -1) return watched({'s', "", "", 0, data}, make);
  const std::string path = path_of(descriptor);
  if (!is_watched(path)) return make();
  return watched({'w', path, "", place_of(descriptor), data}, make,
                 [&] { syscall(SYS_write, descriptor, bytes, size / 2); });
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  return write(descriptor, all.data(), all.size());
}

/// Standard error has no buffer.
int fputs(const char* text, FILE* stream) {
  const std::size_t size = std::strlen(text);
  if (stream == stderr) return write(2, text, size) < 0 ? EOF : 0;
  return std::fwrite(text, 1, size, stream) == size ? 0 : EOF;
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return int(open_at(AT_FDCWD, path, flags, mode));
}

int openat(int folder, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return int(open_at(folder, path, flags, mode));
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return int(open_at(AT_FDCWD, path, flags, mode));
}

int ftruncate(int descriptor, off_t length) noexcept {
  const auto make = [&] { return syscall(SYS_ftruncate, descriptor, length); };
  const std::string path = path_of(descriptor);
  if (!is_watched(path)) return int(make());
  return int(watched({'t', path, "", std::uint64_t(length)}, make));
}

int ftruncate64(int descriptor, off64_t length) noexcept {
  return ftruncate(descriptor, length);
}

int fsync(int descriptor) {
  const auto make = [&] { return syscall(SYS_fsync, descriptor); };
  const std::string path = path_of(descriptor);
  return int(is_watched(path) ? watched({'y', path}, make) : make());
}

int fdatasync(int descriptor) {
  return fsync(descriptor);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  const auto make = [&] { return syscall(SYS_renameat2, from_folder, from, to_folder, to, flags); };
  const std::string path = path_at(from_folder, from), other = path_at(to_folder, to);
  return int(is_watched(path) ? watched({'r', path, other}, make) : make());
}

int rename(const char* from, const char* to) noexcept {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int folder, const char* name, int flags) noexcept {
  const auto make = [&] { return syscall(SYS_unlinkat, folder, name, flags); };
  const std::string path = path_at(folder, name);
  return int(is_watched(path) ? watched({'u', path}, make) : make());
}

int unlink(const char* path) noexcept {
  return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char* path) noexcept {
  return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char* path) noexcept {
  const int result = unlink(path);
  return result != 0 && errno == EISDIR ? rmdir(path) : result;
}

int mkdir(const char* path, mode_t mode) noexcept {
  const auto make = [&] { return syscall(SYS_mkdirat, AT_FDCWD, path, mode); };
  const std::string whole = path_at(AT_FDCWD, path);
  return int(is_watched(whole) ? watched({'m', whole}, make) : make());
}
}
