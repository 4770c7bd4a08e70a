// A file of lines that is only ever appended to, by one process at a time.
#pragma once

#include <filesystem>
#include <string>

namespace easgd {

/// Locked from its opening to its end, so that a second process knows. A file system that has no
/// locks does without. Where it matters, callers guard append() themselves: it is for one thread.
class LineFile {
 public:
  /// What opening found, or an errno.
  enum class Opened { yes, busy, failed };

  LineFile() = default;
  ~LineFile();
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&& other) noexcept;

  /// Opens `path`, and makes it if it is not there. A last line that has no end is dropped: it was
  /// torn. `failed` leaves the reason in errno.
  Opened open(const std::filesystem::path& path);

  /// Appends `line` and its end. Returns 0, or an errno; nothing of the line is left then, or, if
  /// that is impossible too, is_torn() is true.
  int append(const std::string& line);
  bool is_torn() const { return torn_; }

  /// Waits until the disk has what was appended. Returns 0 or an errno.
  int sync();

 private:
  int descriptor_ = -1;
  bool torn_ = false;
};

}  // namespace easgd
