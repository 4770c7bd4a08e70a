// What a run leaves behind. A contract: other programs read these files.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <string>
#include <vector>

namespace easgd {

class RunFolder {
 public:
  /// Makes the folder; an empty `out` stands for runs/<name>-<n> with the first n that is free.
  /// Throws: DataError where it cannot be made, ConfigError where it holds a file that a run
  /// writes.
  RunFolder(const std::string& out, const std::string& name);
  /// Removes what this object has made, and nothing else, unless the run began.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const std::string& name) const { return path_ / name; }

  /// Writes a whole file, also over one that this object wrote before, never over another's. From any
  /// thread.
  /// Throws: DataError.
  void write(const std::string& name, const std::function<void(std::ostream&)>& fill);
  void write(const std::string& name, const std::string& text);

  /// The run has begun: its files stay.
  void keep() { kept_ = true; }

  /// Appends one line to metrics.jsonl. From any thread. A disk that is full costs the line and a
  /// warning, not the run.
  void log(const nlohmann::json& event);

 private:
  void make(const std::string& out, const std::string& name);
  void make_folders(const std::filesystem::path& path);
  bool make_folder(const std::filesystem::path& path);
  [[noreturn]] void fail(int why) const;
  void take_back() const;

  std::filesystem::path path_;
  std::mutex mutex_;
  int metrics_ = -1;  // descriptor
  bool warned_ = false;
  std::vector<std::filesystem::path> made_;  // folders that were not there before
  std::set<std::filesystem::path> written_;  // files
  bool kept_ = false;
};

}  // namespace easgd
