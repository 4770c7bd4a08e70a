#include "pictures/pack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "base/appended_file.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/fnv1a.h"
#include "base/one_line.h"
#include "base/reason.h"
#include "base/usable_cores.h"
#include "base/warning.h"
#include "base/write_file.h"
#include "pictures/decode.h"
#include "pictures/folder_set.h"
#include "pictures/jpeg_writer.h"
#include "pictures/pack_index.h"
#include "pictures/packed_set.h"
#include "pictures/picture_reader.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

/// A picture on its way to its record.
struct Packed {
  std::size_t index = 0;  ///< in the list
  std::vector<std::uint8_t> bytes = {};
  PackRecord record = {};  ///< all but its offset and label
  std::string fault = {};  ///< why it cannot be decoded; empty if it can
};

/// All of a picture, its shorter side at most options.side.
Cut shrunk(Shape image, const PackOptions& options) {
  const int side = options.side, longest = options.raw ? 0xFFFF : kLongestJpegSide;
  Cut cut = whole_of(image);
  const std::int64_t shorter = std::min(image.height, image.width);
  if (side > 0 && shorter > side) {
    cut.height = int(std::int64_t(image.height) * side / shorter);
    cut.width = int(std::int64_t(image.width) * side / shorter);
  }
  if (std::max(cut.height, cut.width) > longest)
    throw DataError(
        fmt::format("{}x{} pixels: expected sides of at most {}", cut.height, cut.width, longest));
  cut.part = {0, 0, cut.height, cut.width};
  return cut;
}

/// A JPEG file that need not be made anew.
bool stays(std::span<const std::uint8_t> file, Shape image, const PackOptions& options) {
  const int shorter = std::min(image.height, image.width);
  return !options.raw && file[0] == 0xFF && (options.side == 0 || shorter <= options.side);
}

void fill(Packed& to, const fs::path& path, const PackOptions& options) {
  thread_local std::vector<std::uint8_t> memory;
  thread_local Scratch scratch;
  const auto file = read_picture(path, memory);
  bool is_kept = false;
  const Image image = decode(
      file,
      [&](Shape shape) {
        is_kept = stays(file, shape, options);
        return shrunk(shape, options);
      },
      scratch);
  if (is_kept && !open_picture(file).orientation().turns()) {
    to.bytes.assign(file.begin(), file.end());
  } else if (options.raw) {
    to.bytes.assign(image.pixels.begin(), image.pixels.end());
  } else {
    to.bytes = jpeg_of(image, options.quality);
  }
  to.record.bytes = to.bytes.size();
  to.record.height = std::uint16_t(image.shape.height);
  to.record.width = std::uint16_t(image.shape.width);
  to.record.checksum = checksum(to.bytes);
}

/// Nobody expects such a picture to come back.
bool is_dangling_link(const fs::path& path) {
  std::error_code error;
  return fs::is_symlink(path, error) && !fs::exists(path, error) && !error;
}

Packed packed(const PictureList& list, std::size_t index, const PackOptions& options) {
  Packed result{.index = index};
  try {
    fill(result, list.path(index), options);
  } catch (const UnreadableNow& error) {  // says nothing of the picture
    throw DataError(in_one_line(list.path(index).string()) + ": " + error.what());
  } catch (const Vanished& error) {
    const fs::path path = list.path(index);
    if (!is_dangling_link(path))
      throw DataError(
          fmt::format("{}: {}; the pack is not finished: pack again when it is there, "
                      "or take it out of the folder",
                      in_one_line(path.string()), error.what()));
    result.fault = error.what();
  } catch (const DataError& error) {
    result.fault = error.what();
  }
  return result;
}

/// The threads that pack, and TBB's leave to have so many.
struct PackThreads {
  explicit PackThreads(int threads)
      : size(threads > 0 ? threads : int(usable_cores())),
        limit(tbb::global_control::max_allowed_parallelism, std::size_t(size)),
        arena(size) {}

  int size;
  tbb::global_control limit;
  tbb::task_arena arena;
};

/// A hash of all that decides on the records, but for the pictures themselves, of which it has the
/// sizes of their files.
std::uint64_t plan_of(const PictureFolder& source, const PackOptions& options) {
  std::uint64_t hash = fnv1a(fmt::format("{} {} {} {}", options.side, options.raw,
                                         options.raw ? 0 : options.quality, options.part_bytes));
  for (const PictureList* list : {&source.train, &source.test}) {
    for (const std::string& name : list->classes) hash = fnv1a(name + "\n", hash);
    for (std::size_t i = 0; i < list->names.size(); ++i) {
      std::error_code error;
      const std::uintmax_t size = fs::file_size(list->path(i), error);
      hash = fnv1a(fmt::format("\n{}\n", error ? 0 : size), fnv1a(list->names[i], hash));
    }
  }
  return hash;
}

/// One half of a pack, which grows file by file. What an earlier call has finished is there when it
/// is made; nothing is written before begin().
class HalfWriter {
 public:
  HalfWriter(const PictureList& list, fs::path folder, const char* half, std::uint64_t plan,
             const PackOptions& options)
      : list_(list), folder_(std::move(folder)), half_(half), plan_(plan), options_(options) {
    while (take_finished()) {
    }
  }

  /// Pictures of the source that are in finished files.
  std::size_t next() const { return std::size_t(part_.end); }
  std::size_t size() const { return list_.names.size(); }
  std::uint64_t parts() const { return number_; }
  std::size_t records() const { return records_; }
  std::size_t bad() const { return size() - records_; }
  std::uint64_t content() const { return content_; }
  /// By classes: whether a record is of it.
  const std::vector<bool>& has_class() const { return has_class_; }
  std::uint64_t bytes() const { return finished_bytes_ + bytes_; }

  void begin() {
    if (!damage_.empty()) warn(damage_ + "; its pictures are packed again");
    begin_part();
  }

  /// In the order of the list.
  void add(const Packed& picture) {
    part_.end = picture.index + 1;
    if (!picture.fault.empty()) {
      warn(fmt::format("{}: {}; left out", in_one_line(list_.path(picture.index).string()),
                       in_one_line(picture.fault)));
    } else {
      const std::span<const std::uint8_t> bytes = picture.bytes;
      check(file_.append({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
      PackRecord record = picture.record;
      record.offset = bytes_;
      record.label = list_.labels[picture.index];
      bytes_ += record.bytes;
      part_.records.push_back(record);
      part_.names.add(list_.names[picture.index]);
    }
    if (bytes_ >= options_.part_bytes) finish_part();
  }

  void finish() {
    if (!part_.records.empty() || part_.end > part_.first) finish_part();
    file_ = AppendedFile();
    std::error_code ignored;  // it is empty, and nobody reads it
    fs::remove(file_path(".bin"), ignored);
  }

 private:
  fs::path file_path(const char* ending) const {
    return folder_ / (part_name(half_, number_) + ending);
  }

  static void check(const std::string& complaint) {
    if (!complaint.empty()) throw DataError(complaint);
  }

  /// Passes over a file that an earlier call has finished, if the next one is, and is whole.
  bool take_finished() {
    std::error_code error;
    if (!fs::exists(file_path(".index"), error)) return false;
    const std::optional<PackPart> read = read_if_whole();
    if (!read) return false;
    const PackPart& part = *read;
    if (part.plan != plan_ || part.first != part_.end || part.end > size())
      throw DataError(fmt::format(
          "{}: has been packed from other pictures, or otherwise; take the folder away, or name "
          "another one",
          folder_.string()));
    std::uintmax_t bytes = 0;
    for (const PackRecord& record : part.records) bytes += record.bytes;
    if (fs::file_size(file_path(".bin"), error) != bytes || error) return false;
    count(part);
    return true;
  }

  /// An index that is damaged is written again with its pictures, unless the pack is another one.
  std::optional<PackPart> read_if_whole() {
    try {
      return read_part(file_path(".index"));
    } catch (const DataError& error) {
      std::error_code ignored;
      if (fs::exists(folder_ / kPackIndex, ignored) && read_facts(folder_).plan != plan_) throw;
      damage_ = error.what();
      return std::nullopt;
    }
  }

  void count(const PackPart& part) {
    for (const PackRecord& record : part.records) {
      finished_bytes_ += record.bytes;
      if (record.label >= 0 && std::size_t(record.label) < has_class_.size())
        has_class_[std::size_t(record.label)] = true;
      content_ = fnv1a(fmt::format("{:x}", record.checksum), content_);
    }
    records_ += part.records.size();
    part_.end = part.end;
    ++number_;
  }

  void begin_part() {
    part_ = {.plan = plan_, .first = part_.end, .end = part_.end};
    bytes_ = 0;
    file_ = AppendedFile(file_path(".bin"), O_WRONLY | O_CREAT | O_TRUNC);
    if (!file_.is_open())
      throw DataError(file_path(".bin").string() + ": cannot be written: " + reason(errno));
  }

  void finish_part() {
    check(file_.sync());
    check(make_names_durable(folder_));
    write_part(file_path(".index"), part_);
    count(std::exchange(part_, {.end = part_.end}));
    begin_part();
  }

  const PictureList& list_;
  const fs::path folder_;
  const char* half_;
  const std::uint64_t plan_;
  const PackOptions& options_;
  PackPart part_;
  AppendedFile file_;
  std::size_t number_ = 0, records_ = 0;
  std::uint64_t bytes_ = 0, finished_bytes_ = 0;  // of the file that grows, and of those before
  std::uint64_t content_ = fnv1a("");
  std::string damage_;  // of the first index that is not taken; empty if none is damaged
  std::vector<bool> has_class_ = std::vector<bool>(list_.classes.size());
};

/// Pictures are packed side by side, and come to their file in the order of the list.
void pack_half(const PictureList& list, HalfWriter& writer, const PackOptions& options,
               const std::function<void(const Packed&)>& added) {
  writer.begin();
  PackThreads threads(options.threads);
  // Of the pictures between the filters, each has a place: an exception would leave behind what TBB
  // hands on itself.
  std::vector<Packed> places(8 * std::size_t(threads.size));
  const auto place_of = [&](std::size_t index) -> Packed& { return places[index % places.size()]; };
  std::size_t next = writer.next();
  threads.arena.execute([&] {
    tbb::parallel_pipeline(
        places.size(),
        tbb::make_filter<void, std::size_t>(tbb::filter_mode::serial_in_order,
                                            [&](tbb::flow_control& flow) -> std::size_t {
                                              if (next < writer.size()) return next++;
                                              flow.stop();
                                              return 0;
                                            }) &
            tbb::make_filter<std::size_t, std::size_t>(tbb::filter_mode::parallel,
                                                       [&](std::size_t index) {
                                                         place_of(index) =
                                                             packed(list, index, options);
                                                         return index;
                                                       }) &
            tbb::make_filter<std::size_t, void>(tbb::filter_mode::serial_in_order,
                                                [&](std::size_t index) {
                                                  writer.add(place_of(index));
                                                  added(place_of(index));
                                                }));
  });
  writer.finish();
}

}  // namespace

Packing::Packing(PictureFolder source, fs::path to, const PackOptions& options)
    : source_(std::move(source)),
      to_(std::move(to)),
      options_(options),
      plan_(plan_of(source_, options_)) {}

PackEstimate Packing::estimate() const {
  constexpr std::size_t kTried = 100;
  PackEstimate estimate;
  PackThreads threads(options_.threads);
  for (const auto& [list, half] : {std::pair{&source_.train, "train"}, {&source_.test, "test"}}) {
    const HalfWriter writer(*list, to_, half, plan_, options_);
    const std::size_t begin = writer.next(), left = writer.size() - begin;
    const std::size_t tried = std::min(left, kTried);
    std::atomic<std::size_t> bytes{0};
    threads.arena.execute([&, &pictures = *list] {
      tbb::parallel_for(std::size_t{0}, tried, [&](std::size_t i) {
        bytes += packed(pictures, begin + i * left / tried, options_).bytes.size();
      });
    });
    estimate.pictures += writer.size();
    estimate.packed += begin;
    if (tried > 0) estimate.bytes += std::uint64_t(double(bytes) / double(tried) * double(left));
  }
  std::error_code ignored;
  fs::path there = fs::absolute(to_, ignored);
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  estimate.free = fs::space(there, ignored).available;
  return estimate;
}

PackResult Packing::run(const std::function<void(const PackProgress&)>& progress) const {
  std::error_code error;
  fs::create_directories(to_, error);
  if (error) throw DataError(to_.string() + ": cannot be made: " + reason(error.value()));
  AppendedFile folder(to_, O_RDONLY | O_DIRECTORY);  // nothing is added to it: it is locked
  if (folder.is_open() && !folder.lock())
    throw ConfigError(to_.string() + ": another pack is at work in it");
  HalfWriter train(source_.train, to_, "train", plan_, options_);
  HalfWriter test(source_.test, to_, "test", plan_, options_);
  PackProgress now{.done = train.next() + test.next(), .all = train.size() + test.size()};
  const auto added = [&](const Packed&) {
    ++now.done;
    now.bytes = train.bytes() + test.bytes();
    progress(now);
  };
  pack_half(source_.train, train, options_, added);
  pack_half(source_.test, test, options_, added);
  for (const auto& [half, list] : {std::pair{&train, &source_.train}, {&test, &source_.test}})
    if (half->records() == 0)
      throw DataError(fmt::format(
          "{}: none of its {} pictures could be decoded; nothing can be "
          "{} with such a pack",
          list->root.string(), list->names.size(), half == &train ? "trained" : "tested"));
  for (const auto& [half, name] : {std::pair{&train, "training"}, {&test, "test"}})
    warn_of_classes_without(name, to_, source_.train.classes, half->has_class());
  write_facts(to_, {.plan = plan_,
                    .is_raw = options_.raw,
                    .side = std::uint32_t(options_.side),
                    .quality = std::uint32_t(options_.raw ? 0 : options_.quality),
                    .train_parts = train.parts(),
                    .test_parts = test.parts(),
                    .train_records = train.records(),
                    .test_records = test.records(),
                    .content = fnv1a(std::to_string(train.content()), test.content()),
                    .classes = source_.train.classes});
  return {train.records(), test.records(), train.bad() + test.bad(), train.bytes() + test.bytes()};
}

PackCheck check_pack(const fs::path& folder, int threads) {
  const PackedHalves halves = open_pack(folder, OnBadImage::skip);
  PackCheck result;
  std::mutex mutex;
  PackThreads crew(threads);
  for (const PackedSet* set : {halves.train.get(), halves.test.get()}) {
    result.records += set->size();
    crew.arena.execute([&] {
      tbb::parallel_for(std::size_t{0}, set->size(), [&](std::size_t i) {
        thread_local Scratch scratch;
        const std::string fault = set->fault(i, scratch);
        if (fault.empty()) return;
        const std::lock_guard lock(mutex);
        result.damaged.push_back(fault);
      });
    });
  }
  std::ranges::sort(result.damaged);
  return result;
}

}  // namespace easgd
