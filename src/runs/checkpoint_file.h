// A checkpoint on disk, little-endian:
//
//   "easgd checkpoint 1\n", then sections, of which the last one is "end" and empty:
//     u32 length of its name | name | u64 length of its values | values | u32 CRC-32C of all that
//   a value:
//     'f', 'u', 'd' or 't' (float32, u64, double, text) | u32 length of its name | name
//     | u64 count | numbers or bytes
#pragma once

#include <filesystem>
#include <ostream>

#include "base/error.h"
#include "exchange/checkpoint.h"

namespace easgd {

/// What was written is not what is there: no later attempt will read it.
class DamagedCheckpoint : public DataError {
 public:
  using DataError::DataError;
};

void write_checkpoint(std::ostream& file, const Checkpoint& checkpoint);

/// Takes no word of the file on trust: no length is larger than what is left of the file.
/// Throws: DamagedCheckpoint with the section that is cut short or damaged; DataError if the file
/// cannot be read, or is whole and of another version of this program.
Checkpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace easgd
