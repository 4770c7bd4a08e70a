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

#include "exchange/checkpoint.h"

namespace easgd {

void write_checkpoint(std::ostream& file, const Checkpoint& checkpoint);

/// Takes no word of the file on trust: no length is larger than what is left of the file.
/// Throws: DataError with the section that is cut short or damaged.
Checkpoint read_checkpoint(const std::filesystem::path& path);

}  // namespace easgd
