// Where things lie in a sweep's folder; docs/sweep_folder.md has the whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "runs/manifest.h"
#include "runs/pause_point.h"
#include "runs/summary.h"
#include "settings/config.h"

namespace easgd {

class SweepFolder {
 public:
  explicit SweepFolder(std::filesystem::path path) : path_(std::move(path)) {}

  /// Makes what is missing of it.
  /// Throws: DataError; ConfigError if there is something else than a sweep.
  void make() const;
  /// Keeps the sweep file that the folder's runs came from.
  void keep_file(const std::string& sweep_file) const;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config(const std::string& identity) const;
  std::filesystem::path run(const std::string& identity) const;
  std::filesystem::path log(const std::string& identity) const;

  void write_config(const std::string& identity, const Config& config) const;

  /// Of a run that has come to its end; nothing if it has not, its summary cannot be read, or
  /// another run lies in its place.
  std::optional<RunSummary> finished(const std::string& identity) const;
  /// Of a run that has paused there; nothing if it has not.
  std::optional<RunSummary> paused(const std::string& identity, const PausePoint& where) const;
  /// In which state a run is, whatever the manifest has said: what is gone waits, and what nobody
  /// is at work on does not run.
  RunState state_of(const std::string& identity, RunState said) const;
  /// Makes way for a run in whose place another lies: one that was resumed with another end, or
  /// whose folder was moved. That one is kept under its own identity, or beside. Returns what
  /// people should know of it, or nothing.
  /// Throws: DataError.
  std::string make_way(const std::string& identity) const;
  /// A process still writes into the run's folder, as one whose sweep has been killed.
  bool is_at_work(const std::string& identity) const;
  /// A sweep is at work in the folder.
  bool is_at_work() const;
  /// A run has left a checkpoint that it can go on from.
  bool can_go_on(const std::string& identity) const;
  /// Of a run that is done.
  void clear_checkpoints(const std::string& identity) const;
  /// Makes room for a run to begin again: takes away what an unfinished one has left, but for what
  /// its process has said.
  void clear_run(const std::string& identity) const;
  void clear_log(const std::string& identity) const;
  /// In bytes; 0 if there is none.
  std::uintmax_t log_size(const std::string& identity) const;
  /// The last line that a run's process has printed to complain; else its last line. What is in the
  /// log's first `said_before` bytes, others have said.
  std::string last_words(const std::string& identity, std::uintmax_t said_before) const;

 private:
  bool has_begun(const std::string& identity) const;
  std::optional<RunSummary> summary_of(const std::string& identity) const;
  std::optional<std::string> another_in_place_of(const std::string& identity) const;
  std::filesystem::path free_place_for(const std::string& other, const std::string& identity) const;

  std::filesystem::path path_;
};

}  // namespace easgd
