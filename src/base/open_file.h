#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace easgd {

/// A file that is open for reading. Whoever replaces or removes it meanwhile does not matter.
/// What goes wrong is thrown as std::system_error.
/// Thread: immutable.
class OpenFile {
 public:
  /// A pipe without a writer is not waited for.
  explicit OpenFile(const std::filesystem::path& path);
  OpenFile(OpenFile&& other) noexcept;
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile();

  /// Else it may have no end.
  bool is_regular() const { return is_regular_; }
  /// In bytes, when it was opened.
  std::uint64_t size() const { return size_; }
  /// Reads what lies at `offset` into the memory, as far as it goes. Returns fewer bytes if the
  /// file ends before.
  std::span<const std::uint8_t> read(std::uint64_t offset, std::span<std::uint8_t> memory) const;
  /// These bytes are going to be read: the system may fetch them meanwhile.
  void will_read(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  int descriptor_;
  bool is_regular_ = false;
  std::uint64_t size_ = 0;
};

}  // namespace easgd
