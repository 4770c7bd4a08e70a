// What a folder of packed pictures says of its records, little-endian.
//
//   pack.index         "easgd pack 1\n" | its facts | u64 checksum of all that
//   train-0000.bin     records, one after another, and nothing else
//   train-0000.index   "easgd pack part 1\n" | where its records lie | u64 checksum of all that
//   train-0001.bin ..., test-0000.bin ...
//
// A record is a JPEG file, or raw: [3][height][width], bytes of red, green and blue. An index
// appears when all that it tells of has reached the disk, pack.index last of all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pictures/picture_folder.h"

namespace easgd {

constexpr const char* kPackIndex = "pack.index";

struct PackFacts {
  std::uint64_t plan = 0;  ///< a hash of the source's names and of how they were packed
  bool is_raw = false;
  std::uint32_t side = 0, quality = 0;
  std::uint64_t train_parts = 0, test_parts = 0;
  std::uint64_t train_records = 0, test_records = 0;
  std::uint64_t content = 0;  ///< a hash of the checksums of all records
  std::vector<std::string> classes = {};
};

struct PackRecord {
  std::uint64_t offset = 0, bytes = 0;  ///< in its file of records
  std::uint64_t checksum = 0;
  std::int32_t label = 0;
  std::uint16_t height = 0, width = 0;

  bool operator==(const PackRecord&) const = default;
};

/// The index of one file of records.
struct PackPart {
  std::uint64_t plan = 0;
  std::uint64_t first = 0, end = 0;  ///< pictures of the source that are in it, or are bad
  std::vector<PackRecord> records = {};
  Names names = {};  ///< of the records' pictures
};

/// "train-0003"; the endings are ".bin" and ".index".
std::string part_name(const char* half, std::size_t number);

void write_facts(const std::filesystem::path& folder, const PackFacts& facts);
void write_part(const std::filesystem::path& path, const PackPart& part);

/// Both take no word of the file on trust.
/// Throws: DataError if it cannot be read, is damaged, or of another version of this program.
PackFacts read_facts(const std::filesystem::path& folder);
PackPart read_part(const std::filesystem::path& path);

}  // namespace easgd
