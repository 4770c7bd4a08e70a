// CIFAR-10 and CIFAR-100 in their original binary versions.
//
// A record is the label bytes (CIFAR-10: the class; CIFAR-100: the coarse, then the fine class,
// which is the one we learn), then 1024 red, 1024 green and 1024 blue bytes, rows from the top. A
// file is records and nothing else, and its size is known.
#include <fstream>
#include <string>
#include <vector>

#include <tbb/parallel_for.h>

#include "base/error.h"
#include "data/dataset_entry.h"
#include "data/location.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

constexpr Shape kShape{3, 32, 32};
constexpr std::size_t kImageBytes = 3 * 32 * 32;

struct Part {
  const char* name;
  std::size_t records;
};

struct Layout {
  const char* set;
  int classes;
  int label_bytes;  ///< the last of them is the class
  std::vector<Part> train;
  Part test;
  std::vector<std::string> folders;
};

const Layout kCifar10{"cifar10",
                      10,
                      1,
                      {{"data_batch_1.bin", 10000},
                       {"data_batch_2.bin", 10000},
                       {"data_batch_3.bin", 10000},
                       {"data_batch_4.bin", 10000},
                       {"data_batch_5.bin", 10000}},
                      {"test_batch.bin", 10000},
                      {"cifar-10-batches-bin", "cifar10", "cifar-10"}};

const Layout kCifar100{"cifar100",
                       100,
                       2,
                       {{"train.bin", 50000}},
                       {"test.bin", 10000},
                       {"cifar-100-binary", "cifar100", "cifar-100"}};

DatasetFiles files_of(const Layout& layout) {
  DatasetFiles files{layout.folders, {}};
  for (const Part& part : layout.train) files.files.push_back({part.name});
  files.files.push_back({layout.test.name});
  return files;
}

/// Opens a file whose size has to be that of its records.
std::ifstream open_part(const fs::path& path, std::size_t expected) {
  std::error_code error;
  const std::uintmax_t found = fs::file_size(path, error);
  if (error) throw DataError(path.string() + ": cannot be examined: " + error.message());
  if (found != expected)
    throw DataError(path.string() + ": expected " + std::to_string(expected) + " bytes, found " +
                    std::to_string(found) + "; fetch it again, in the binary version");
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw DataError(path.string() + ": cannot be opened for reading; check its permissions");
  return file;
}

/// Reads the records of one file to where its pixels and labels belong.
void read_part(const fs::path& path, const Part& part, const Layout& layout, std::uint8_t* pixels,
               std::uint8_t* labels) {
  const std::size_t record_bytes = layout.label_bytes + kImageBytes;
  std::ifstream file = open_part(path, part.records * record_bytes);
  std::vector<char> record(record_bytes);
  for (std::size_t r = 0; r < part.records; ++r) {
    if (!file.read(record.data(), static_cast<std::streamsize>(record_bytes)))
      throw DataError(path.string() + ": cannot be read beyond byte " +
                      std::to_string(r * record_bytes + file.gcount()));
    labels[r] = static_cast<std::uint8_t>(record[layout.label_bytes - 1]);
    if (labels[r] >= layout.classes)
      throw DataError(path.string() + ": record " + std::to_string(r) + ": label " +
                      std::to_string(labels[r]) + " is not in 0.." +
                      std::to_string(layout.classes - 1) +
                      "; the file is damaged or another set's");
    std::copy(record.begin() + layout.label_bytes, record.end(), pixels + r * kImageBytes);
  }
}

/// The parts one after another, read side by side.
std::unique_ptr<Dataset> read_parts(const fs::path& folder, const std::vector<Part>& parts,
                                    const Layout& layout) {
  std::vector<std::size_t> first{0};
  std::vector<fs::path> paths;
  for (const Part& part : parts) {
    first.push_back(first.back() + part.records);
    paths.push_back(find_file(folder, {part.name}));
  }
  std::vector<std::uint8_t> pixels(first.back() * kImageBytes);
  std::vector<std::uint8_t> labels(first.back());
  tbb::parallel_for(std::size_t{0}, parts.size(), [&](std::size_t i) {
    read_part(paths[i], parts[i], layout, pixels.data() + first[i] * kImageBytes,
              labels.data() + first[i]);
  });
  return std::make_unique<ImageTable>(kShape, layout.classes, std::move(pixels), std::move(labels));
}

DataSplit read(const Layout& layout, const DatasetOptions& options) {
  const fs::path folder = find_folder(layout.set, files_of(layout), options.dir);
  return {read_parts(folder, layout.train, layout), read_parts(folder, {layout.test}, layout),
          folder.string()};
}

DataSplit read_cifar10(const DatasetOptions& options) {
  return read(kCifar10, options);
}
DataSplit read_cifar100(const DatasetOptions& options) {
  return read(kCifar100, options);
}

const Registered<DatasetFiles> kFiles10("cifar10", files_of(kCifar10));
const Registered<DatasetFiles> kFiles100("cifar100", files_of(kCifar100));
const Registered<DatasetFacts> kFacts10("cifar10", {kShape, kCifar10.classes});
const Registered<DatasetFacts> kFacts100("cifar100", {kShape, kCifar100.classes});
const Registered<DatasetEntry> kRegistered10("cifar10", read_cifar10);
const Registered<DatasetEntry> kRegistered100("cifar100", read_cifar100);

}  // namespace
}  // namespace easgd
