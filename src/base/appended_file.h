#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace easgd {

/// A file to whose end records are added, each whole or not at all: half a record would spoil the
/// next.
/// Thread: one at a time.
class AppendedFile {
 public:
  AppendedFile() = default;
  /// Opens it with O_APPEND and `flags`; not open, and errno says why, if that fails.
  AppendedFile(const std::filesystem::path& path, int flags);
  AppendedFile(AppendedFile&& other) noexcept;
  AppendedFile& operator=(AppendedFile&& other) noexcept;
  ~AppendedFile();

  bool is_open() const { return descriptor_ != -1; }

  /// False if another process has it. Held to the end; a file system without locks does without.
  bool lock();

  /// Each of these returns what went wrong, or nothing.
  std::string append(std::string_view record);
  /// Waits until the disk has what was appended.
  std::string sync();
  /// Drops a last line that has no end: it was torn. For a file of lines that was opened O_RDWR.
  std::string drop_torn_line();

 private:
  std::string complaint(int why) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// A shared lock of a file, while it lives: nobody gets the lock of an AppendedFile meanwhile,
/// others may have shared ones.
class SharedLock {
 public:
  explicit SharedLock(const std::filesystem::path& path);
  SharedLock(const SharedLock&) = delete;
  ~SharedLock();

  /// Somebody has the lock, so that this is none. Where there is no file, or the file system has no
  /// locks, nobody has.
  bool is_refused() const { return refused_; }

 private:
  int descriptor_;
  bool refused_;
};

}  // namespace easgd
