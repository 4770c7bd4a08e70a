// CIFAR-10 and CIFAR-100 in their original binary versions, and one's own pictures in that format.
//
// A record is the label bytes (CIFAR-10: the class; CIFAR-100: the coarse, then the fine class),
// then 1024 red, 1024 green and 1024 blue bytes, rows from the top. A file is records and nothing
// else. Of the published sets its size is known, so that a download that broke off is noticed; of
// one's own it may be any number of records.
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include "base/error.h"
#include "base/reason.h"
#include "data/dataset_reader.h"
#include "data/find_file.h"
#include "data/location.h"
#include "data/numbered_files.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

constexpr Shape kShape{3, 32, 32};
constexpr std::size_t kImageBytes = 3 * 32 * 32;
constexpr std::size_t kLabels = 256;  // that a byte can tell apart
constexpr const char* kOwnSet = "cifar_records";

/// How a record begins.
struct Labels {
  std::size_t bytes;  ///< of labels
  std::size_t at;     ///< the byte of them that is the class
  std::size_t record() const { return bytes + kImageBytes; }
};

struct Part {
  fs::path path;
  std::size_t records;
};

std::string cannot_open(const fs::path& path) {
  return path.string() + ": cannot be opened for reading: " + reason(errno);
}

std::uintmax_t size_of(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) throw DataError(path.string() + ": cannot be examined: " + reason(error.value()));
  return size;
}

/// Reads the records of one file to where its pixels and labels belong.
void read_part(const Part& part, const Labels& layout, std::uint8_t* pixels, std::int32_t* labels) {
  std::ifstream file(part.path, std::ios::binary);
  if (!file) throw DataError(cannot_open(part.path));
  std::vector<char> record(layout.record());
  for (std::size_t r = 0; r < part.records; ++r) {
    errno = 0;
    if (!file.read(record.data(), static_cast<std::streamsize>(record.size())))
      throw DataError(fmt::format("{}: cannot be read beyond byte {}: {}", part.path.string(),
                                  r * record.size() + std::size_t(file.gcount()),
                                  errno ? reason(errno) : "it has become shorter"));
    labels[r] = static_cast<std::uint8_t>(record[layout.at]);
    std::copy(record.begin() + std::ptrdiff_t(layout.bytes), record.end(),
              pixels + r * kImageBytes);
  }
}

/// One half: the parts one after another.
struct Half {
  std::vector<Part> parts;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
};

/// The parts are read side by side.
Half read_parts(std::vector<Part> parts, const Labels& layout) {
  std::vector<std::size_t> first{0};
  for (const Part& part : parts) first.push_back(first.back() + part.records);
  Half half{std::move(parts), std::vector<std::uint8_t>(first.back() * kImageBytes),
            std::vector<std::int32_t>(first.back())};
  tbb::parallel_for(std::size_t{0}, half.parts.size(), [&](std::size_t i) {
    read_part(half.parts[i], layout, half.pixels.data() + first[i] * kImageBytes,
              half.labels.data() + first[i]);
  });
  return half;
}

/// `advice`: what to do about a label that is none of the classes.
std::unique_ptr<Dataset> table_of(Half half, int classes, const std::string& advice) {
  std::size_t n = 0;
  for (const Part& part : half.parts)
    for (std::size_t r = 0; r < part.records; ++r, ++n)
      if (half.labels[n] >= classes)
        throw DataError(fmt::format("{}: record {}: label {} is not in 0..{}; {}",
                                    part.path.string(), r, half.labels[n], classes - 1, advice));
  return std::make_unique<ImageTable>(kShape, classes, std::move(half.pixels),
                                      std::move(half.labels));
}

// ---- the published sets

struct File {
  const char* name;
  std::size_t records;
};

struct Published {
  const char* set;
  int classes;
  Labels labels;
  std::vector<File> train;
  File test;
  DatasetFiles files;
};

DatasetFiles files_of(const std::vector<File>& train, const File& test, const Labels& labels,
                      const std::vector<std::string>& folders, const std::string& fetch,
                      std::vector<Lookalike> lookalikes) {
  DatasetFiles files{folders, {}, fetch, std::move(lookalikes)};
  std::vector<File> all = train;
  all.push_back(test);
  for (const File& file : all) {
    files.files.push_back({file.name});
    files.sizes.push_back(file.records * labels.record());
  }
  return files;
}

/// The Python version, by its folder and by its files, and archives as they are downloaded.
std::vector<Lookalike> lookalikes(const std::string& name, const std::string& python,
                                  const std::vector<std::string>& files) {
  const std::string version =
      "the Python version of " + name + ", which is not read: the binary version is needed";
  const std::string start = name == "CIFAR-10" ? "cifar-10-" : "cifar-100-";
  const std::string packed = "the binary version, packed", unpack = "unpack it there, with tar -xf";
  return {{{python}, version},
          {files, version},
          {{start + "binary.tar.gz"}, packed, unpack},
          {{start + "binary.tar"}, packed, unpack},
          {{start + "python.tar.gz"}, version}};
}

const std::vector<File> kTrain10{{"data_batch_1.bin", 10000},
                                 {"data_batch_2.bin", 10000},
                                 {"data_batch_3.bin", 10000},
                                 {"data_batch_4.bin", 10000},
                                 {"data_batch_5.bin", 10000}};
const File kTest10{"test_batch.bin", 10000};
const std::vector<File> kTrain100{{"train.bin", 50000}};
const File kTest100{"test.bin", 10000};

const DatasetFiles kFiles10 = files_of(
    kTrain10, kTest10, Labels{1, 0}, {"cifar-10-batches-bin", "cifar10", "cifar-10"}, "cifar10",
    lookalikes("CIFAR-10", "cifar-10-batches-py", {"data_batch_1", "test_batch"}));
const DatasetFiles kFiles100 =
    files_of(kTrain100, kTest100, Labels{2, 1}, {"cifar-100-binary", "cifar100", "cifar-100"},
             "cifar100", lookalikes("CIFAR-100", "cifar-100-python", {"train", "test", "meta"}));

const Published kCifar10{"cifar10", 10, {1, 0}, kTrain10, kTest10, kFiles10};
const Published kCifar100{"cifar100", 100, {2, 1}, kTrain100, kTest100, kFiles100};
const Published kCifar100Coarse{"cifar100_coarse", 20, {2, 0}, kTrain100, kTest100, kFiles100};

/// The file, of the published size.
Part published_part(const fs::path& folder, const File& file, const Published& set) {
  Part part{find_file(folder, {file.name}, set.files), file.records};
  const std::uintmax_t expected = file.records * set.labels.record(), found = size_of(part.path);
  if (found == expected) return part;
  const std::size_t own = 1 + kImageBytes;
  throw DataError(
      fmt::format("{}: expected {} bytes, found {}; fetch it again, in the binary version{}",
                  part.path.string(), expected, found,
                  found > 0 && found % own == 0
                      ? fmt::format("; or, for {} pictures of your own, use data.set = \"{}\" with "
                                    "data.dir = \"{}\"",
                                    found / own, kOwnSet, folder.string())
                      : ""));
}

DataSplit read_published(const Published& set, const DatasetOptions& options) {
  const fs::path folder = find_folder(set.set, set.files, options.dir);
  const std::string advice = "the file is damaged or another set's";
  const auto half = [&](const std::vector<File>& files) {
    std::vector<Part> parts;
    for (const File& file : files) parts.push_back(published_part(folder, file, set));
    return table_of(read_parts(std::move(parts), set.labels), set.classes, advice);
  };
  return {half(set.train), half({set.test}), folder.string()};
}

// ---- one's own pictures

const DatasetFiles kOwnFiles{{"cifar_records"},
                             {{"data_batch_#.bin", "train.bin"}, {"test_batch.bin", "test.bin"}}};

/// The file, of any number of records.
Part own_part(const fs::path& path) {
  const std::size_t record = 1 + kImageBytes;
  const std::uintmax_t size = size_of(path);
  if (size == 0 || size % record != 0)
    throw DataError(fmt::format(
        "{}: expected a whole number of records of {} bytes (a label byte, then 3x32x32 pixels), "
        "found {} bytes: {} records{}",
        path.string(), record, size, size / record,
        size % record ? fmt::format(" and {} bytes", size % record) : ""));
  return {path, std::size_t(size / record)};
}

/// Two names for one thing that are both there leave open which is meant.
[[noreturn]] void two_files(const fs::path& one, const fs::path& other, const char* half) {
  throw DataError(
      fmt::format("{}: is there beside {}; expected one of them as the {} half, move "
                  "the other away",
                  one.string(), other.filename().string(), half));
}

std::vector<Part> own_train(const fs::path& folder) {
  const auto batches = numbered_files(folder, "data_batch_#.bin");
  const auto whole = look_for_file(folder, {"train.bin"});
  if (!batches.empty() && whole) two_files(batches[0], *whole, "training");
  std::vector<Part> parts;
  for (const fs::path& path : batches) parts.push_back(own_part(path));
  if (parts.empty()) {
    if (!whole)
      throw DataError((folder / "train.bin").string() +
                      ": file missing, and no data_batch_1.bin either; expected the training half "
                      "in one of them");
    parts.push_back(own_part(*whole));
  }
  return parts;
}

std::vector<Part> own_test(const fs::path& folder) {
  const auto batch = look_for_file(folder, {"test_batch.bin"});
  const auto whole = look_for_file(folder, {"test.bin"});
  if (batch && whole) two_files(*batch, *whole, "test");
  if (!batch && !whole)
    throw DataError((folder / "test.bin").string() +
                    ": file missing, and no test_batch.bin either; expected the test half in one "
                    "of them");
  return {own_part(batch ? *batch : *whole)};
}

/// Names of the classes, a line each, if there is a file of them; how many.
struct Names {
  fs::path path;
  int count;
};

std::optional<Names> read_names(const fs::path& folder) {
  const auto path = look_for_file(folder, {"classes.txt", "batches.meta.txt"});
  if (!path) return std::nullopt;
  std::ifstream file(*path);
  if (!file) throw DataError(cannot_open(*path));
  std::size_t count = 0;
  errno = 0;
  bool text = true;
  for (std::string line; std::getline(file, line);) {
    count += line.find_first_not_of(" \t\r") != std::string::npos;
    text &= line.find('\0') == std::string::npos;
  }
  if (file.bad()) throw DataError(path->string() + ": cannot be read: " + reason(errno));
  if (!text)
    throw DataError(
        path->string() +
        ": expected the names of classes, a line each; found zero bytes: save it as UTF-8");
  if (count == 0 || count > kLabels)
    throw DataError(fmt::format("{}: expected the names of 1 to {} classes, a line each; found {}",
                                path->string(), kLabels, count));
  return Names{*path, int(count)};
}

DataSplit read_own(const DatasetOptions& options) {
  const Labels layout{1, 0};
  const fs::path folder = find_folder(kOwnSet, kOwnFiles, options.dir);
  const auto names = read_names(folder);
  Half train = read_parts(own_train(folder), layout), test = read_parts(own_test(folder), layout);
  int classes = names ? names->count : 0;
  if (!names)
    for (const Half* half : {&train, &test})
      classes = std::max(classes, *std::ranges::max_element(half->labels) + 1);
  const std::string advice =
      names ? fmt::format("{} names {} classes", names->path.filename().string(), classes) : "";
  return {table_of(std::move(train), classes, advice), table_of(std::move(test), classes, advice),
          folder.string()};
}

// ---- their names

class PublishedReader final : public DatasetReader {
 public:
  explicit PublishedReader(const Published& set) : set_(set) {}
  std::string name() const override { return set_.set; }
  std::optional<DatasetFacts> facts() const override { return DatasetFacts{kShape, set_.classes}; }
  std::optional<DatasetFiles> files() const override { return set_.files; }
  DataSplit read(const DatasetOptions& options) const override {
    return read_published(set_, options);
  }

 private:
  const Published& set_;
};

class OwnReader final : public DatasetReader {
 public:
  std::string name() const override { return kOwnSet; }
  std::optional<DatasetFiles> files() const override { return kOwnFiles; }
  DataSplit read(const DatasetOptions& options) const override { return read_own(options); }
};

const RegisteredDataset kRegistered10([] { return std::make_unique<PublishedReader>(kCifar10); });
const RegisteredDataset kRegistered100([] { return std::make_unique<PublishedReader>(kCifar100); });
const RegisteredDataset kRegistered100Coarse([] {
  return std::make_unique<PublishedReader>(kCifar100Coarse);
});
const RegisteredDataset kRegisteredOwn([] { return std::make_unique<OwnReader>(); });

}  // namespace
}  // namespace easgd
