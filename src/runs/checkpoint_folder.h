// The folder `checkpoints` of a run.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "exchange/checkpoint.h"

namespace easgd {

class CheckpointFolder {
 public:
  explicit CheckpointFolder(const std::filesystem::path& run);

  /// Writes one, and takes away all but the last `keep` of the folder, and what a process that was
  /// killed in the middle of a write has left. Of one process at a time: who has the run's lock.
  /// If there is no room for it, the oldest ones make room; the latest stays in any case.
  /// Returns its size in bytes.
  /// Throws: DataError, also if it may not have reached the disk; the latest of the earlier ones is
  /// still there then.
  std::uint64_t save(const Checkpoint& checkpoint, std::size_t keep) const;

  /// Does `write`, once more after each NoRoom: the oldest checkpoints make room for it, one by
  /// one, the latest stays in any case. From any thread.
  /// Throws: what `write` throws in the end.
  void make_room_for(const std::function<void()>& write) const;

  /// Of the checkpoint of a version, in the run's folder.
  static std::string file_of(std::uint64_t version);

  /// There is none, whole or not.
  /// Throws: DataError if the folder cannot be listed.
  bool is_empty() const;
  /// Takes them all away, and the folder.
  void clear() const;

  /// The latest that is whole; nothing if the folder has none at all. What is broken is reported to
  /// `warn`, and put aside by the name that it has then. What a process that was killed has left
  /// on its way to a checkpoint is taken away: nobody may be saving one.
  /// Throws: DataError if all of them are broken: what is wrong with the latest; or if one that may
  /// be whole cannot be read, which stays as it is.
  std::optional<Checkpoint> load(const std::function<void(const std::string&)>& warn) const;
  /// The same, but leaves the folder as it is: for who has not the run's lock.
  std::optional<Checkpoint> look(const std::function<void(const std::string&)>& warn) const;

 private:
  std::uint64_t write(const Checkpoint& checkpoint) const;

  std::filesystem::path path_;
};

/// What can be done with a run that has no checkpoint, to be said behind what is wrong; nothing if
/// it has no center either.
std::string advice_of_center(const std::filesystem::path& run);

}  // namespace easgd
