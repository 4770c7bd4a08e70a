// A set of packed pictures.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/open_file.h"
#include "pictures/pack_index.h"
#include "pictures/picture_set.h"

namespace easgd {

/// One half of a packed folder. Its files stay open; a record is compared with its checksum when
/// it is first read, and one that is damaged is a picture that cannot be decoded.
class PackedSet final : public PictureSet {
 public:
  struct Part {
    std::filesystem::path path;
    OpenFile file;
    PackPart index;
  };

  PackedSet(std::vector<Part> parts, bool is_raw, int classes, OnBadImage on_bad);

  /// "train-0000.bin: record 17 (dogs/rex.jpg)"
  std::string image_name(std::size_t index) const override;
  void will_read(std::size_t first, std::size_t count) const override;

 private:
  std::size_t memory_of_names() const override;
  struct Place {
    const Part& part;
    std::size_t record;  ///< of that part
  };

  CutImage decoded(std::size_t index, const ChooseCut& choose, Scratch& scratch) const override;
  Place place_of(std::size_t index) const;
  std::span<const std::uint8_t> read(std::size_t index, const Place& place,
                                     std::vector<std::uint8_t>& memory) const;

  std::vector<Part> parts_;
  std::vector<std::size_t> begins_;  // of each part, the number of its first record
  bool is_raw_;
  std::unique_ptr<std::atomic<bool>[]> is_checked_;
};

struct PackedHalves {
  std::unique_ptr<PackedSet> train, test;
  std::vector<std::string> classes;
};

/// Throws: DataError if an index is missing or damaged, or a file is longer than it should be; or
/// shorter, if that is what bad pictures are.
PackedHalves open_pack(const std::filesystem::path& folder, OnBadImage on_bad);

}  // namespace easgd
