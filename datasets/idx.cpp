// MNIST and Fashion-MNIST: IDX files, gzipped or plain.
//
// An IDX file is two zero bytes, one byte of element type (8: unsigned byte), one byte that counts
// the dimensions, each dimension as a big-endian 32-bit number, and the elements, last dimension
// fastest. Images are [N][H][W], labels [N].
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/dataset_entry.h"
#include "data/location.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

constexpr int kClasses = 10;

/// A file that zlib unpacks as it reads, or passes through where it is not packed.
class GzipFile {
 public:
  explicit GzipFile(fs::path path) : path_(std::move(path)), file_(gzopen(path_.c_str(), "rb")) {
    if (!file_)
      throw DataError(path_.string() + ": cannot be opened for reading; check its permissions");
    gzbuffer(file_.get(), 1u << 18);
  }

  /// Fills `to` as far as the file goes and tells how far.
  std::size_t read(std::uint8_t* to, std::size_t bytes) {
    std::size_t done = 0;
    while (done < bytes) {
      const auto part = static_cast<unsigned>(std::min<std::size_t>(bytes - done, 1u << 30));
      const int got = gzread(file_.get(), to + done, part);
      if (got > 0) done += got;
      int code = Z_OK;
      const std::string message = gzerror(file_.get(), &code);
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) fail(message);
      if (got < static_cast<int>(part)) break;
    }
    return done;
  }

  const fs::path& path() const { return path_; }

 private:
  /// zlib begins its messages with the path.
  [[noreturn]] void fail(const std::string& message) const {
    const std::string prefix = path_.string() + ": ";
    const std::string reason =
        message.starts_with(prefix) ? message.substr(prefix.size()) : message;
    throw DataError(prefix + "damaged near unpacked byte " + std::to_string(gztell(file_.get())) +
                    ": " + reason + "; fetch it again");
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  fs::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

struct Idx {
  fs::path path;
  std::vector<std::uint32_t> dimensions;
  std::vector<std::uint8_t> elements;
};

std::vector<std::uint32_t> read_header(GzipFile& file, int dimensions) {
  const std::string path = file.path().string();
  std::array<std::uint8_t, 4> word{};
  const std::array<std::uint8_t, 4> magic{0, 0, 8, static_cast<std::uint8_t>(dimensions)};
  const std::size_t got = file.read(word.data(), 4);
  if (got < 4)
    throw DataError(path + ": expected an IDX header, found " + std::to_string(got) + " bytes");
  if (word != magic) {
    char found[9];
    std::snprintf(found, sizeof found, "%02x%02x%02x%02x", word[0], word[1], word[2], word[3]);
    throw DataError(path + ": expected the IDX magic number 0000080" + std::to_string(dimensions) +
                    " (bytes in " + std::to_string(dimensions) + " dimension" +
                    (dimensions == 1 ? "" : "s") + "), found " + found +
                    "; not a file of this set");
  }
  std::vector<std::uint32_t> result;
  for (int d = 0; d < dimensions; ++d) {
    if (file.read(word.data(), 4) < 4) throw DataError(path + ": ends inside the IDX header");
    result.push_back(std::uint32_t{word[0]} << 24 | word[1] << 16 | word[2] << 8 | word[3]);
  }
  return result;
}

/// The product of the dimensions, of which a damaged header may make anything.
std::size_t element_count(const fs::path& path, const std::vector<std::uint32_t>& dimensions) {
  constexpr std::size_t kLimit = std::size_t{1} << 40;
  std::size_t count = 1;
  std::string text;
  for (const std::uint32_t size : dimensions) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
    count = size && count > kLimit / size ? kLimit + 1 : count * size;
  }
  if (count == 0 || count > kLimit)
    throw DataError(path.string() + ": the IDX header says " + text +
                    " elements; the file is damaged");
  return count;
}

/// Memory grows with what the file really holds, whatever its header promises.
Idx read_idx(const fs::path& path, int dimensions) {
  constexpr std::size_t kFirstStep = std::size_t{1} << 24;
  GzipFile file(path);
  Idx idx{path, read_header(file, dimensions), {}};
  const std::size_t expected = element_count(path, idx.dimensions);
  std::size_t filled = 0;
  while (filled < expected) {
    idx.elements.resize(std::min(expected, std::max(kFirstStep, 2 * filled)));
    filled += file.read(idx.elements.data() + filled, idx.elements.size() - filled);
    if (filled < idx.elements.size())
      throw DataError(path.string() + ": expected " + std::to_string(expected) +
                      " bytes after the header, found " + std::to_string(filled) +
                      "; the file was cut short, fetch it again");
  }
  std::uint8_t beyond = 0;
  if (file.read(&beyond, 1) != 0)
    throw DataError(path.string() + ": expected " + std::to_string(expected) +
                    " bytes after the header, found more; fetch it again");
  return idx;
}

void check_labels(const Idx& labels) {
  for (std::size_t i = 0; i < labels.elements.size(); ++i)
    if (labels.elements[i] >= kClasses)
      throw DataError(labels.path.string() + ": record " + std::to_string(i) + ": label " +
                      std::to_string(labels.elements[i]) + " is not in 0.." +
                      std::to_string(kClasses - 1) + "; the file is damaged");
}

/// Each file by its usual name, packed or not, and by the name with a dot that some copies have.
std::vector<std::string> spellings(const std::string& half, const std::string& what,
                                   int dimensions) {
  const std::string tail = "idx" + std::to_string(dimensions) + "-ubyte";
  const std::string dash = half + "-" + what + "-" + tail;
  const std::string dot = half + "-" + what + "." + tail;
  return {dash + ".gz", dash, dot + ".gz", dot};
}

std::unique_ptr<Dataset> read_half(const fs::path& folder, const std::string& half) {
  Idx images = read_idx(find_file(folder, spellings(half, "images", 3)), 3);
  Idx labels = read_idx(find_file(folder, spellings(half, "labels", 1)), 1);
  if (images.dimensions[0] != labels.dimensions[0])
    throw DataError(labels.path.string() + ": " + std::to_string(labels.dimensions[0]) +
                    " labels for the " + std::to_string(images.dimensions[0]) + " images of " +
                    images.path.filename().string() + "; the files do not belong together");
  check_labels(labels);
  const Shape shape{1, static_cast<int>(images.dimensions[1]),
                    static_cast<int>(images.dimensions[2])};
  return std::make_unique<ImageTable>(shape, kClasses, std::move(images.elements),
                                      std::move(labels.elements));
}

DatasetFiles files_in(const std::vector<std::string>& folders) {
  return {folders,
          {spellings("train", "images", 3), spellings("train", "labels", 1),
           spellings("t10k", "images", 3), spellings("t10k", "labels", 1)}};
}

const DatasetFiles kMnist = files_in({"mnist", "MNIST/raw", "MNIST"});
const DatasetFiles kFashion =
    files_in({"fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST"});

DataSplit read(const std::string& set, const DatasetFiles& files, const DatasetOptions& options) {
  const fs::path folder = find_folder(set, files, options.dir);
  DataSplit split{read_half(folder, "train"), read_half(folder, "t10k"), folder.string()};
  const Shape train = split.train->shape(), test = split.test->shape();
  if (train != test)
    throw DataError(folder.string() + ": training images are " + std::to_string(train.height) +
                    "x" + std::to_string(train.width) + ", test images " +
                    std::to_string(test.height) + "x" + std::to_string(test.width) +
                    "; the files do not belong together");
  return split;
}

DataSplit read_mnist(const DatasetOptions& options) {
  return read("mnist", kMnist, options);
}
DataSplit read_fashion(const DatasetOptions& options) {
  return read("fashion_mnist", kFashion, options);
}

const Registered<DatasetFiles> kMnistFiles("mnist", kMnist);
const Registered<DatasetFiles> kFashionFiles("fashion_mnist", kFashion);
const Registered<DatasetFacts> kMnistFacts("mnist", {{1, 28, 28}, 10});
const Registered<DatasetFacts> kFashionFacts("fashion_mnist", {{1, 28, 28}, 10});
const Registered<DatasetEntry> kMnistRegistered("mnist", read_mnist);
const Registered<DatasetEntry> kFashionRegistered("fashion_mnist", read_fashion);

}  // namespace
}  // namespace easgd
