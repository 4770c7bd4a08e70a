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
  int descriptor() const { return descriptor_; }

  /// What there is to say if a record could not be added, for the first such record only; else
  /// nothing.
  std::string append(std::string_view record);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  bool failed_ = false;
};

}  // namespace easgd
