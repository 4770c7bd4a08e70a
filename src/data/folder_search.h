// Which folder holds the files of a set.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "data/dataset_files.h"
#include "data/path_status.h"

namespace easgd {

/// What one folder has of a set.
struct Candidate {
  std::filesystem::path folder;
  PathStatus status;
  /// Two points for each file that is there, one for something else of its name: a folder, or a
  /// file of a size that it cannot have.
  std::size_t points = 0;
  bool complete = false;
  std::filesystem::path blocked;  ///< what nothing can be said of
  std::error_code why;
};

struct Search {
  std::vector<Candidate> candidates;            ///< the root's, then those of the folders in it
  std::optional<std::filesystem::path> folder;  ///< one that has files of the set
};

/// The first complete folder, the root before those in it. Of incomplete ones the fullest, those
/// named after the set before the root: a single file of a common name says little.
/// Throws: DataError if a folder cannot be looked into and no other has half of the files.
Search search_folders(const std::filesystem::path& root, const DatasetFiles& wanted);

}  // namespace easgd
