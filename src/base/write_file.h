// Files that appear whole or not at all, and have reached the disk when they do.
#pragma once

#include <filesystem>
#include <functional>
#include <ostream>
#include <string>

#include "base/error.h"

namespace easgd {

/// The disk is full, or who writes has used up what it is allowed there.
class NoRoom : public DataError {
 public:
  using DataError::DataError;
};

/// Lets `fill` write a file beside `path`, under a name that was free, then puts it in the place of
/// `path`. If that fails, an earlier `path` stays as it was and nothing else is left behind, unless
/// it is the new name that does not reach the disk.
/// Throws: DataError, NoRoom.
void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& fill);

/// The same for a `path` that is not there: what has come there meanwhile is somebody's, and stays.
void write_new_file(const std::filesystem::path& path,
                    const std::function<void(std::ostream&)>& fill);

/// Takes away what a process that was killed has left in a folder: files that were on their way to
/// a name that is ours. Nobody may be writing one of these.
void remove_unfinished(const std::filesystem::path& folder,
                       const std::function<bool(const std::string& name)>& is_ours);

/// Has the names in a folder reach the disk: those that have come, and that others have gone. A
/// folder that may not be read or cannot be asked is no failure.
/// Returns what went wrong, or nothing.
[[nodiscard]] std::string make_names_durable(const std::filesystem::path& folder);

}  // namespace easgd
