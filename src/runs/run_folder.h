// What a run leaves behind. A contract: other programs read these files.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "base/appended_file.h"
#include "base/failures_in_row.h"
#include "runs/events.h"

namespace easgd {

struct RunRecord;

/// The folder of a run that is going on. No other process goes on in it meanwhile: metrics.jsonl is
/// locked.
class RunFolder {
 public:
  /// Makes the folder; an empty `out` stands for runs/<name>-<n> with the first n that is free.
  /// Throws: DataError if it cannot be made, ConfigError if it holds a file that a run writes.
  static RunFolder create(const std::string& out, const std::string& name);
  /// Goes on in the folder of an earlier run: its files may be written over, and events are
  /// appended to its metrics.jsonl, from which a torn last line is dropped. Files on their way to
  /// one of the run's names (center.safetensors.new) are taken away: it was killed meanwhile.
  /// Throws: DataError if it is no run's folder, ConfigError if a run is at work in it.
  static RunFolder reopen(const std::filesystem::path& folder);

  /// Removes what create() and this object have made, and nothing else, unless the run began.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;

  /// Called, from any thread, with what goes wrong while the run goes on. To be set before others
  /// use the folder.
  std::function<void(const std::string&)> on_warning = [](const std::string&) {};

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const std::string& name) const { return path_ / name; }

  /// Writes a whole file, also over one that is this run's, never over another's. Old checkpoints
  /// make room for it. From any thread.
  /// Throws: DataError.
  void write(const std::string& name, const std::function<void(std::ostream&)>& fill);
  void write(const std::string& name, const std::string& text);

  /// A new file for TensorBoard, beside those of an earlier part of the run. From any thread. If it
  /// cannot be made, there is a warning, and it is not open.
  AppendedFile begin_event_file();

  /// Takes one of the run's files away, if it is there; a power failure does not bring it back, or
  /// there is a warning.
  void take_away(const std::string& name);

  /// The run has begun: its files stay.
  void keep() { kept_ = true; }

  /// Takes events out of metrics.jsonl: what has come after the point from which the run goes on.
  /// Lines that are no events of this program stay, but for those in which a power failure has left
  /// zeros.
  /// Throws: DataError.
  void drop_events(const std::function<bool(const Event&)>& is_dropped);

  /// Appends an event to metrics.jsonl. From any thread. A disk that is full costs the line and now
  /// and then a warning, not the run.
  void log(const Event& event);
  /// Waits until the disk has all of them: before anything is promised that tells of them. Once
  /// that has failed, all are written anew. From any thread. Returns what went wrong, or nothing.
  [[nodiscard]] std::string sync();

 private:
  struct Earlier {};
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  RunFolder(const std::string& out, const std::string& name);
  RunFolder(const std::filesystem::path& folder, Earlier);

  void make(const std::string& out, const std::string& name);
  void make_folders(const std::filesystem::path& path);
  bool make_folder(const std::filesystem::path& path);
  void open_again();
  void lock();
  [[noreturn]] void fail(int why) const;
  void take_back() const;
  std::string read_metrics() const;
  void replace_metrics(const std::string& text);

  std::filesystem::path path_;
  std::mutex mutex_;
  AppendedFile metrics_;
  AppendedFile replaced_;  // its lock is held on: another may have opened it before it was replaced
  FailuresInRow failures_;
  std::vector<std::filesystem::path> made_;  // folders that were not there before
  std::set<std::filesystem::path> written_;  // files that are this run's
  bool kept_ = false;
  bool is_unsure_ = false;  // whether the disk has all of metrics.jsonl
};

/// Whether a folder has a file that only a run leaves.
bool is_run_folder(const std::filesystem::path& folder);

/// A process writes into the folder of a run, which it has locked.
bool is_at_work(const std::filesystem::path& folder);

/// While it lives, no run goes on in the folder.
/// Throws: ConfigError if one is at work there.
class StillRun {
 public:
  explicit StillRun(const std::filesystem::path& folder);

 private:
  SharedLock lock_;
};

}  // namespace easgd
