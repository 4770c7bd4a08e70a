#include "pictures/packed_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "base/reason.h"
#include "pictures/decode.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

std::vector<std::int32_t> labels_of(const std::vector<PackedSet::Part>& parts) {
  std::vector<std::int32_t> labels;
  for (const PackedSet::Part& part : parts)
    for (const PackRecord& record : part.index.records) labels.push_back(record.label);
  return labels;
}

/// Where records lie, and that they are of this set: nothing of the index is taken on trust.
/// Records that a file has lost are bad pictures.
void check_part(const PackedSet::Part& part, const PackFacts& facts, OnBadImage on_bad) {
  const auto fail = [&](const std::string& why) {
    throw DataError(fmt::format("{}: {}; pack it again", part.path.string(), why));
  };
  if (part.index.plan != facts.plan) fail("is of another pack than pack.index");
  std::uint64_t end = 0;
  for (const PackRecord& record : part.index.records) {
    if (record.offset != end || record.bytes > std::numeric_limits<std::int64_t>::max() - end)
      fail(fmt::format("expected a record at byte {}, found one of {} bytes at {}", end,
                       record.bytes, record.offset));
    end += record.bytes;
    if (record.label < 0 || std::size_t(record.label) >= facts.classes.size())
      fail(fmt::format("label {} is not in 0..{}", record.label, facts.classes.size() - 1));
    const std::uint64_t raw = std::uint64_t{3} * record.height * record.width;
    if (facts.is_raw && (raw == 0 || record.bytes != raw))
      fail(fmt::format("a record of {}x{} pixels has {} bytes", record.height, record.width,
                       record.bytes));
  }
  const bool has_lost_some = part.file.size() < end && on_bad == OnBadImage::skip;
  if (end != part.file.size() && !has_lost_some)
    fail(fmt::format("expected {} bytes, found {}", end, part.file.size()));
}

OpenFile opened(const fs::path& path) try {
  return OpenFile(path);
} catch (const std::system_error& error) {
  throw DataError(path.string() + ": cannot be opened: " + reason(error.code().value()));
}

std::vector<PackedSet::Part> open_parts(const fs::path& folder, const char* half,
                                        std::uint64_t count, std::uint64_t records,
                                        const PackFacts& facts, OnBadImage on_bad) {
  std::vector<PackedSet::Part> parts;
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = part_name(half, i);
    const fs::path path = folder / (name + ".bin");
    parts.push_back({path, opened(path), read_part(folder / (name + ".index"))});
    check_part(parts.back(), facts, on_bad);
    found += parts.back().index.records.size();
  }
  if (found != records || found == 0)
    throw DataError(fmt::format("{}: expected {} records for the {} half, found {}; pack it again",
                                (folder / kPackIndex).string(), records, half, found));
  return parts;
}

}  // namespace

PackedSet::PackedSet(std::vector<Part> parts, bool is_raw, int classes, OnBadImage on_bad)
    : PictureSet(classes, labels_of(parts), on_bad),
      parts_(std::move(parts)),
      is_raw_(is_raw),
      is_checked_(std::make_unique<std::atomic<bool>[]>(size())) {
  std::size_t begin = 0;
  for (const Part& part : parts_) {
    begins_.push_back(begin);
    begin += part.index.records.size();
  }
}

PackedSet::Place PackedSet::place_of(std::size_t index) const {
  const auto part = std::ranges::upper_bound(begins_, index) - begins_.begin() - 1;
  return {parts_[std::size_t(part)], index - begins_[std::size_t(part)]};
}

std::string PackedSet::image_name(std::size_t index) const {
  const Place place = place_of(index);
  return fmt::format("{}: record {} ({})", place.part.path.string(), place.record,
                     place.part.index.names[place.record]);
}

void PackedSet::will_read(std::size_t first, std::size_t count) const {
  while (count > 0) {
    const Place place = place_of(first);
    const std::span<const PackRecord> records(place.part.index.records);
    const auto some = records.subspan(place.record, std::min(count, records.size() - place.record));
    const PackRecord& last = some.back();
    place.part.file.will_read(some[0].offset, last.offset + last.bytes - some[0].offset);
    first += some.size(), count -= some.size();
  }
}

std::size_t PackedSet::memory_of_names() const {
  std::size_t bytes = size() * sizeof is_checked_[0];
  for (const Part& part : parts_)
    bytes += part.index.names.memory() + part.index.records.size() * sizeof(PackRecord);
  return bytes;
}

/// All of a record.
std::span<const std::uint8_t> PackedSet::read(std::size_t index, const Place& place,
                                              std::vector<std::uint8_t>& memory) const try {
  const PackRecord& record = place.part.index.records[place.record];
  const std::uint64_t end = record.offset + record.bytes;
  if (end > place.part.file.size()) throw DataError("its file ends before it");
  memory.resize(std::max<std::size_t>(memory.size(), record.bytes));
  const auto bytes = place.part.file.read(record.offset, std::span(memory).first(record.bytes));
  if (bytes.size() < record.bytes) throw Vanished("its file has become shorter");
  if (is_checked_[index].load(std::memory_order_relaxed)) return bytes;
  if (checksum(bytes) != record.checksum) throw DataError("it is damaged: its checksum is another");
  is_checked_[index].store(true, std::memory_order_relaxed);
  return bytes;
} catch (const std::system_error& error) {
  throw UnreadableNow("cannot be read: " + reason(error.code().value()));
}

CutImage PackedSet::decoded(std::size_t index, const ChooseCut& choose, Scratch& scratch) const {
  const Place place = place_of(index);
  if (!is_raw_) {
    thread_local std::vector<std::uint8_t> memory;
    return {decode(read(index, place, memory), choose, scratch)};
  }
  const PackRecord& record = place.part.index.records[place.record];
  const Shape shape{3, record.height, record.width};
  return cut_out({shape, read(index, place, scratch)}, choose(shape), scratch);
}

PackedHalves open_pack(const fs::path& folder, OnBadImage on_bad) {
  std::error_code error;
  if (fs::is_directory(folder, error) && !fs::exists(folder / kPackIndex, error) && !error)
    throw DataError(
        fmt::format("{}: has no {}: it is no pack, or one that is not finished; "
                    "easgd pack goes on with it",
                    folder.string(), kPackIndex));
  const PackFacts facts = read_facts(folder);
  const int classes = int(facts.classes.size());
  const auto half = [&](const char* name, std::uint64_t parts, std::uint64_t records) {
    return std::make_unique<PackedSet>(open_parts(folder, name, parts, records, facts, on_bad),
                                       facts.is_raw, classes, on_bad);
  };
  PackedHalves halves{half("train", facts.train_parts, facts.train_records),
                      half("test", facts.test_parts, facts.test_records), facts.classes};
  for (const auto& [set, name] :
       {std::pair{halves.train.get(), "training"}, {halves.test.get(), "test"}}) {
    std::vector<bool> has_class(facts.classes.size());
    for (std::size_t i = 0; i < set->size(); ++i) has_class[std::size_t(set->label(i))] = true;
    warn_of_classes_without(name, folder, facts.classes, has_class);
  }
  return halves;
}

}  // namespace easgd
