#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace easgd {

/// A file's bytes, read from the disk where they are looked at. It must not become shorter
/// meanwhile: the system ends a process that looks beyond its end.
/// Thread: immutable.
class MappedFile {
 public:
  /// Throws: DataError.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace easgd
