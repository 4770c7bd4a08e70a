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
  explicit CheckpointFolder(const std::filesystem::path& run) : path_(run / "checkpoints") {}

  /// Writes one, and takes away all but the last `keep` of the folder.
  /// Throws: DataError; the earlier ones are still there then.
  void save(const Checkpoint& checkpoint, std::size_t keep) const;

  /// There is none, whole or not.
  bool is_empty() const;
  /// Takes them all away, and the folder.
  void clear() const;

  /// The latest that is whole; nothing if the folder has none at all. What is broken is reported to
  /// `warn`, and put aside by the name that it has then.
  /// Throws: DataError if all of them are broken: what is wrong with the latest.
  std::optional<Checkpoint> load(const std::function<void(const std::string&)>& warn) const;

 private:
  std::filesystem::path path_;
};

}  // namespace easgd
