// Pictures of a folder, packed into a few large files of records that are read in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "pictures/picture_folder.h"

namespace easgd {

struct PackOptions {
  int side = 256;  ///< what the shorter side of larger pictures is resized to; 0: as they are
  bool raw = false;
  int quality = 90;                                 ///< of JPEG files that are made
  int threads = 0;                                  ///< 0: one a core
  std::size_t part_bytes = std::size_t{512} << 20;  ///< after which another file begins
};

struct PackEstimate {
  std::size_t pictures = 0;  ///< of both halves
  std::size_t packed = 0;    ///< of these, by an earlier call
  std::uint64_t bytes = 0;   ///< that the records of the others will take
  std::uint64_t free = 0;    ///< that are left where they go
};

struct PackProgress {
  std::size_t done = 0, all = 0;  ///< pictures
  std::uint64_t bytes = 0;        ///< that were written
};

struct PackResult {
  std::size_t train = 0, test = 0;  ///< records
  std::size_t bad = 0;              ///< pictures that could not be decoded, and are left out
  std::uint64_t bytes = 0;
};

/// A folder of pictures on its way into a packed folder.
class Packing {
 public:
  Packing(PictureFolder source, std::filesystem::path to, const PackOptions& options);

  /// Packs some pictures of those that are left, to say what all will take. Writes nothing.
  /// Throws: as run().
  PackEstimate estimate() const;

  /// Goes on where an earlier call with the same source and options was ended, if it was. The bytes
  /// are the same however many threads there are, and however often it was ended. A JPEG picture
  /// that is small enough and stands upright is taken as it is. Each bad picture is named in a
  /// warning.
  /// Throws: DataError, also if the folder has been packed from something else or otherwise (known
  /// by the names and sizes of files), if no picture of a half can be decoded, or if the machine
  /// cannot read one; ConfigError if another process packs into it.
  /// `progress` is called by one thread at a time, not always the same.
  PackResult run(const std::function<void(const PackProgress&)>& progress) const;

 private:
  const PictureFolder source_;
  const std::filesystem::path to_;
  const PackOptions options_;
  const std::uint64_t plan_;  ///< a hash of names, sizes and options
};

struct PackCheck {
  std::size_t records = 0;
  std::vector<std::string> damaged = {};  ///< a line each
};

/// Looks at every record of a packed folder, and decodes it. `threads` as in PackOptions.
/// Throws: DataError if an index is damaged, or the folder is not complete.
PackCheck check_pack(const std::filesystem::path& folder, int threads = 0);

}  // namespace easgd
