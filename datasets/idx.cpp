// Sets in IDX files, gzipped or plain: MNIST and its relatives, EMNIST, and one's own.
//
// An IDX file is two zero bytes, one byte of element type (8: unsigned byte), one byte that counts
// the dimensions, each dimension as a big-endian 32-bit number, and the elements, last dimension
// fastest. Images are [N][H][W], labels [N]. One's own may have colours: [N][H][W][C] or
// [N][C][H][W], where C is 1 or 3 and, so that the two are told apart, no other side is.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/reason.h"
#include "data/dataset_reader.h"
#include "data/location.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOwnSet = "idx";
constexpr std::uint32_t kLongestSide = 1u << 16;

// ---- one file

/// A file that zlib unpacks as it reads, or passes through where it is not packed.
class GzipFile {
 public:
  explicit GzipFile(fs::path path) : path_(std::move(path)) {
    errno = 0;
    file_.reset(gzopen(path_.c_str(), "rb"));
    if (!file_)
      throw DataError(path_.string() +
                      ": cannot be opened for reading: " + reason(errno ? errno : ENOMEM));
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
      if (code == Z_MEM_ERROR) throw std::bad_alloc();
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) fail(message, code);
      if (got < static_cast<int>(part)) break;
    }
    return done;
  }

  const fs::path& path() const { return path_; }

 private:
  /// zlib begins its messages with the path. Z_ERRNO is the system's failure, not the file's.
  [[noreturn]] void fail(const std::string& message, int code) const {
    const std::string prefix = path_.string() + ": ";
    const std::string reason =
        message.starts_with(prefix) ? message.substr(prefix.size()) : message;
    const std::string place = std::to_string(gztell(file_.get()));
    if (code == Z_ERRNO)
      throw DataError(prefix + "cannot be read beyond unpacked byte " + place + ": " + reason);
    throw DataError(prefix + "damaged near unpacked byte " + place + ": " + reason +
                    "; fetch it again");
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

using Word = std::array<std::uint8_t, 4>;
constexpr std::uint8_t kBytes = 8;  // the type of unsigned bytes, the first of them

/// "bytes in 3 dimensions", of a magic number; empty where it is none.
std::string content_of(const Word& magic) {
  const char* const kTypes[] = {"bytes",           "signed bytes",    nullptr,
                                "16-bit integers", "32-bit integers", "32-bit floats",
                                "64-bit floats"};
  const int type = magic[2] - kBytes;
  if (magic[0] != 0 || magic[1] != 0 || type < 0 || type > 6 || !kTypes[type]) return "";
  return fmt::format("{} in {} dimension{}", kTypes[type], magic[3], magic[3] == 1 ? "" : "s");
}

/// `wanted`: the numbers of dimensions that it may have.
std::vector<std::uint32_t> read_header(GzipFile& file, const std::vector<int>& wanted) {
  const std::string path = file.path().string();
  Word word{};
  const std::size_t got = file.read(word.data(), 4);
  if (got < 4)
    throw DataError(path + ": expected an IDX header, found " + std::to_string(got) + " bytes");
  std::string expected;
  bool good = false;
  for (const int dimensions : wanted) {
    const Word magic{0, 0, kBytes, static_cast<std::uint8_t>(dimensions)};
    expected += fmt::format("{}0000080{} ({})", expected.empty() ? "" : " or ", dimensions,
                            content_of(magic));
    good |= word == magic;
  }
  if (!good) {
    const std::string content = content_of(word);
    throw DataError(fmt::format(
        "{}: expected the IDX magic number {}, found {:02x}{:02x}{:02x}{:02x}{}; {}", path,
        expected, word[0], word[1], word[2], word[3], content.empty() ? "" : " (" + content + ")",
        content.empty() || word[2] == kBytes ? "not a file of this set"
                                             : "its elements have to be unsigned bytes"));
  }
  std::vector<std::uint32_t> result;
  for (int d = 0; d < word[3]; ++d) {
    Word size{};
    if (file.read(size.data(), 4) < 4) throw DataError(path + ": ends inside the IDX header");
    result.push_back(std::uint32_t{size[0]} << 24 | size[1] << 16 | size[2] << 8 | size[3]);
  }
  return result;
}

std::string shown(const std::vector<std::uint32_t>& dimensions) {
  std::string text;
  for (const std::uint32_t size : dimensions)
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

/// The product of the dimensions, of which a damaged header may make anything.
std::size_t element_count(const fs::path& path, const std::vector<std::uint32_t>& dimensions) {
  constexpr std::size_t kLimit = std::size_t{1} << 40;
  std::size_t count = 1;
  bool sides = true;
  for (std::size_t d = 0; d < dimensions.size(); ++d) {
    const std::uint32_t size = dimensions[d];
    sides &= d == 0 || size <= kLongestSide;
    count = size && count > kLimit / size ? kLimit + 1 : count * size;
  }
  if (count == 0 || count > kLimit || !sides)
    throw DataError(path.string() + ": the IDX header says " + shown(dimensions) +
                    " elements; the file is damaged");
  return count;
}

/// Memory grows with what the file really holds, whatever its header promises.
Idx read_idx(const fs::path& path, const std::vector<int>& dimensions) {
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

// ---- a half

struct IdxSet {
  std::string name;
  std::vector<std::string> folders;  ///< see DatasetFiles, as the next two
  std::string fetch{};
  std::vector<Lookalike> lookalikes{};
  int classes = 10;                        ///< 0: as many as the largest label says
  std::string prefix{};                    ///< of its files' names
  std::vector<std::string> tests{"t10k"};  ///< what its files call the test half
  int first_label = 0;                     ///< in the files, of class 0
  bool transposed = false;                 ///< its pictures lie [N][W][H]
  std::vector<int> dimensions{3};          ///< that its images may have
};

/// A half as its files have it.
struct Half {
  Idx images;
  Shape shape;
  std::vector<std::int32_t> labels;  ///< counted from 0
};

/// [N][rows][columns] becomes [N][columns][rows], of elements of `bytes` bytes each.
std::vector<std::uint8_t> transposed(const std::vector<std::uint8_t>& from, std::size_t rows,
                                     std::size_t columns) {
  std::vector<std::uint8_t> to(from.size());
  const std::size_t size = rows * columns;
  for (std::size_t image = 0; image < from.size(); image += size)
    for (std::size_t y = 0; y < rows; ++y)
      for (std::size_t x = 0; x < columns; ++x)
        to[image + x * rows + y] = from[image + y * columns + x];
  return to;
}

bool may_be_colours(std::uint32_t size) {
  return size == 1 || size == 3;
}

/// Brings images to [N][C][H][W]; tells C, H and W.
Shape arrange(Idx& images, const IdxSet& set) {
  const auto side = [&](std::size_t d) { return static_cast<int>(images.dimensions[d]); };
  const auto count = [&](std::size_t d) { return std::size_t(images.dimensions[d]); };
  const auto turn = [&](std::size_t rows, std::size_t columns) {
    images.elements = transposed(images.elements, rows, columns);
  };
  if (images.dimensions.size() == 3) {
    if (!set.transposed) return {1, side(1), side(2)};
    turn(count(1), count(2));
    return {1, side(2), side(1)};
  }
  const bool first = may_be_colours(images.dimensions[1]);
  const bool last = may_be_colours(images.dimensions[3]);
  if (first == last || may_be_colours(images.dimensions[2]))
    throw DataError(fmt::format(
        "{}: expected [N][H][W][C] or [N][C][H][W], where C is 1 or 3 and the sides of a picture "
        "are neither; found {}, which may be either or none",
        images.path.string(), shown(images.dimensions)));
  if (first) return {side(1), side(2), side(3)};
  turn(count(1) * count(2), count(3));
  return {side(3), side(1), side(2)};
}

/// The labels of a file as classes, counted from 0.
std::vector<std::int32_t> classes_of(const Idx& labels, const IdxSet& set) {
  const int first = set.first_label, last = first + set.classes - 1;
  std::vector<std::int32_t> classes(labels.elements.begin(), labels.elements.end());
  for (std::size_t i = 0; set.classes && i < classes.size(); ++i) {
    const int label = classes[i];
    if (label < first || label > last)
      throw DataError(fmt::format(
          "{}: record {}: label {} is not in {}..{} of {}; the file is damaged or another set's{}",
          labels.path.string(), i, label, first, last, set.name,
          set.prefix.empty()
              ? fmt::format("; for labels of any number of classes use data.set = \"{}\" with "
                            "data.dir = \"{}\"",
                            kOwnSet, labels.path.parent_path().string())
              : ""));
    classes[i] = label - first;
  }
  return classes;
}

/// Each file by its usual name, packed or not, and by the name with a dot that some copies have.
std::vector<std::string> spellings(const std::string& half, const std::string& what,
                                   const std::vector<int>& dimensions) {
  std::vector<std::string> names;
  for (const int d : dimensions) {
    const std::string tail = "idx" + std::to_string(d) + "-ubyte";
    const std::string dash = half + "-" + what + "-" + tail;
    const std::string dot = half + "-" + what + "." + tail;
    names.insert(names.end(), {dash + ".gz", dash, dot + ".gz", dot});
  }
  return names;
}

std::vector<std::string> images_of(const IdxSet& set, const std::string& half) {
  return spellings(set.prefix + half, "images", set.dimensions);
}

std::vector<std::string> labels_of(const IdxSet& set, const std::string& half) {
  return spellings(set.prefix + half, "labels", {1});
}

Half read_half(const fs::path& folder, const IdxSet& set, const DatasetFiles& files,
               const std::string& name) {
  Half half{read_idx(find_file(folder, images_of(set, name), files), set.dimensions), {}, {}};
  const Idx labels = read_idx(find_file(folder, labels_of(set, name), files), {1});
  if (half.images.dimensions[0] != labels.dimensions[0])
    throw DataError(labels.path.string() + ": " + std::to_string(labels.dimensions[0]) +
                    " labels for the " + std::to_string(half.images.dimensions[0]) + " images of " +
                    half.images.path.filename().string() + "; the files do not belong together");
  half.labels = classes_of(labels, set);
  half.shape = arrange(half.images, set);
  return half;
}

/// What the test half is called in this folder.
std::string test_name(const fs::path& folder, const IdxSet& set) {
  std::vector<std::string> there;
  std::vector<fs::path> paths;
  for (const std::string& name : set.tests)
    if (const auto path = look_for_file(folder, images_of(set, name))) {
      there.push_back(name);
      paths.push_back(*path);
    }
  if (there.size() > 1)
    throw DataError(paths[0].string() + ": is there beside " + paths[1].filename().string() +
                    "; expected one of them as the test half, move the other away");
  return there.empty() ? set.tests[0] : there[0];
}

// ---- a set

std::string shown(Shape s) {
  return fmt::format("{}{}x{}", s.channels > 1 ? fmt::format("{}x", s.channels) : "", s.height,
                     s.width);
}

class IdxReader final : public DatasetReader {
 public:
  explicit IdxReader(IdxSet set) : set_(std::move(set)) {}

  std::string name() const override { return set_.name; }

  std::optional<DatasetFacts> facts() const override {
    if (set_.classes == 0) return std::nullopt;
    return DatasetFacts{{1, 28, 28}, set_.classes};
  }

  std::optional<DatasetFiles> files() const override {
    DatasetFiles files{set_.folders, {}, set_.fetch, set_.lookalikes};
    const std::string train = "train";
    files.files = {images_of(set_, train), labels_of(set_, train), {}, {}};
    for (const std::string& test : set_.tests) {
      const auto images = images_of(set_, test), labels = labels_of(set_, test);
      files.files[2].insert(files.files[2].end(), images.begin(), images.end());
      files.files[3].insert(files.files[3].end(), labels.begin(), labels.end());
    }
    return files;
  }

  DataSplit read(const DatasetOptions& options) const override {
    const DatasetFiles wanted = *files();
    const fs::path folder = find_folder(set_.name, wanted, options.dir);
    Half train = read_half(folder, set_, wanted, "train");
    Half test = read_half(folder, set_, wanted, test_name(folder, set_));
    if (train.shape != test.shape)
      throw DataError(folder.string() + ": training images are " + shown(train.shape) +
                      ", test images " + shown(test.shape) + "; the files do not belong together");
    int classes = set_.classes;
    if (classes == 0)
      for (const Half* half : {&train, &test})
        classes = std::max(classes, *std::ranges::max_element(half->labels) + 1);
    const auto table = [&](Half& half) {
      return std::make_unique<ImageTable>(half.shape, classes, std::move(half.images.elements),
                                          std::move(half.labels));
    };
    return {table(train), table(test), folder.string()};
  }

 private:
  IdxSet set_;
};

DatasetEntry reader_of(const IdxSet& set) {
  return [set] { return std::make_unique<IdxReader>(set); };
}

const RegisteredDataset kMnist(
    reader_of({.name = "mnist", .folders = {"mnist", "MNIST/raw", "MNIST"}, .fetch = "mnist"}));
const RegisteredDataset kFashion(reader_of({.name = "fashion_mnist",
                                            .folders = {"fashion_mnist", "fashion-mnist",
                                                        "FashionMNIST/raw", "FashionMNIST"},
                                            .fetch = "fashion_mnist"}));
const RegisteredDataset kKuzushiji(
    reader_of({.name = "kmnist",
               .folders = {"kmnist", "KMNIST/raw", "KMNIST"},
               .fetch = "kmnist",
               .lookalikes = {{{"kmnist-train-imgs.npz"},
                               "the NumPy version, which is not read: IDX files are needed"}}}));
const RegisteredDataset kOwn(reader_of({.name = kOwnSet,
                                        .folders = {"idx"},
                                        .classes = 0,
                                        .tests = {"t10k", "test"},
                                        .dimensions = {3, 4}}));

DatasetEntry emnist(const std::string& split, int classes, int first_label = 0) {
  return reader_of(
      {.name = "emnist_" + split,
       .folders = {"emnist", "EMNIST/raw", "EMNIST", "gzip", "emnist/gzip", "EMNIST/raw/gzip",
                   "EMNIST/gzip"},
       .fetch = "emnist",
       .lookalikes = {{{"gzip.zip"}, "all of EMNIST, packed", "unpack it there, with unzip"},
                      {{"matlab.zip"}, "the Matlab version, which is not read"}},
       .classes = classes,
       .prefix = "emnist-" + split + "-",
       .tests = {"test"},
       .first_label = first_label,
       .transposed = true});
}

const RegisteredDataset kByClass(emnist("byclass", 62));
const RegisteredDataset kByMerge(emnist("bymerge", 47));
const RegisteredDataset kBalanced(emnist("balanced", 47));
const RegisteredDataset kLetters(emnist("letters", 26, 1));
const RegisteredDataset kDigits(emnist("digits", 10));
const RegisteredDataset kEmnistMnist(emnist("mnist", 10));

}  // namespace
}  // namespace easgd
