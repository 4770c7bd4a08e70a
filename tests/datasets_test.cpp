// Do the readers read what is there, and say what is wrong where something is?
#include <doctest/doctest.h>
#include <grp.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/error.h"
#include "config/reader.h"
#include "data/dataset_reader.h"
#include "data/location.h"
#include "data/normalisation.h"
#include "mixed_sizes.h"
#include "program.h"
#include "temporary_folder.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

using testing::check_one_line;
using testing::program;
using testing::TemporaryFolder;

/// $EASGD_DATA has another value for a while.
class Variable {
 public:
  explicit Variable(const std::string& value) {
    if (const char* old = std::getenv("EASGD_DATA")) old_ = old;
    setenv("EASGD_DATA", value.c_str(), 1);
  }
  ~Variable() { setenv("EASGD_DATA", old_.c_str(), 1); }

 private:
  std::string old_;
};

/// Root may read everything: for a while somebody else, where it is root who tests.
class Anybody {
 public:
  Anybody() {
    if (geteuid() != 0) return;
    REQUIRE(setgroups(0, nullptr) == 0);
    REQUIRE(setegid(kNobody) == 0);
    REQUIRE(seteuid(kNobody) == 0);
    root_ = true;
  }
  ~Anybody() {
    if (root_ && (seteuid(0) != 0 || setegid(0) != 0)) std::abort();
  }

 private:
  static constexpr uid_t kNobody = 65534;
  bool root_ = false;
};

/// A folder that others than its owner may look into.
void open_to_all(const fs::path& folder) {
  fs::permissions(folder, fs::perms(0755));
}

void write(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

void write_gzip(const fs::path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

std::string read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string big_endian(std::uint32_t value) {
  return {char(value >> 24), char(value >> 16), char(value >> 8), char(value)};
}

std::string idx(const std::vector<std::uint32_t>& dimensions, const std::string& elements) {
  std::string bytes = {0, 0, 8, char(dimensions.size())};
  for (const std::uint32_t size : dimensions) bytes += big_endian(size);
  return bytes + elements;
}

/// 3 training and 2 test images of 2x2 pixels, plain files.
void write_tiny_mnist(const fs::path& folder) {
  write(folder / "train-images-idx3-ubyte", idx({3, 2, 2}, "abcdefghijkl"));
  write(folder / "train-labels-idx1-ubyte", idx({3}, std::string("\x07\x00\x09", 3)));
  write(folder / "t10k-images-idx3-ubyte", idx({2, 2, 2}, "ABCDEFGH"));
  write(folder / "t10k-labels-idx1-ubyte", idx({2}, std::string("\x01\x02", 2)));
}

/// A file that holds zeros, and takes no room on the disk.
void write_blank(const fs::path& path, std::uintmax_t bytes) {
  write(path, "");
  fs::resize_file(path, bytes);
}

void write_blank_cifar10(const fs::path& folder) {
  for (const char* name : {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                           "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"})
    write_blank(folder / name, 30730000);
}

void write_blank_cifar100(const fs::path& folder) {
  write_blank(folder / "train.bin", 153700000);
  write_blank(folder / "test.bin", 30740000);
}

/// A record of CIFAR-10 for each label, of pixels 0, 1, 2 ...
std::string records(const std::vector<int>& labels) {
  std::string bytes;
  for (const int label : labels) {
    bytes += char(label);
    for (int i = 0; i < 3072; ++i) bytes += char(i);
  }
  return bytes;
}

/// 2x3 images of one byte value each, a label each, in the files of one half.
void write_idx_half(const fs::path& folder, const std::string& half, const std::string& labels) {
  std::string pixels;
  for (std::size_t i = 0; i < labels.size(); ++i) pixels += "abcdef";
  const auto n = std::uint32_t(labels.size());
  write(folder / (half + "-images-idx3-ubyte"), idx({n, 2, 3}, pixels));
  write(folder / (half + "-labels-idx1-ubyte"), idx({n}, labels));
}

void write_byte(const fs::path& path, std::size_t offset, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset)).put(byte);
}

std::string failure(const std::string& set, const std::string& dir) {
  try {
    read_dataset(set, {dir, 1});
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

void check_says(const std::string& message, const std::vector<std::string>& parts) {
  CAPTURE(message);
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(message.find(part) != std::string::npos);
  }
  CHECK(message.find('\n') == std::string::npos);
}

std::vector<int> first_labels(const Dataset& set, std::size_t count) {
  std::vector<int> labels;
  for (std::size_t i = 0; i < count; ++i) labels.push_back(set.label(i));
  return labels;
}

std::vector<std::uint8_t> pixels_of(const Dataset& set, std::size_t index) {
  Scratch scratch;
  const auto pixels = set.image(index, scratch).pixels;
  return {pixels.begin(), pixels.end()};
}

/// What holds for any half of any set.
void check_half(const Dataset& set) {
  const Shape shape = set.shape();
  CHECK((shape.channels > 0 && shape.height > 0 && shape.width > 0));
  REQUIRE(set.size() > 0);
  Scratch scratch;
  std::set<int> labels;
  bool good = true;
  for (std::size_t i = 0; i < set.size(); ++i) {
    labels.insert(set.label(i));
    good = good && set.image(i, scratch).pixels.size() == shape.size();
  }
  CHECK(good);
  CHECK(*labels.begin() >= 0);
  CHECK(*labels.rbegin() < set.classes());
}

void check_four_digits(const std::vector<float>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t c = 0; c < expected.size(); ++c)
    CHECK(std::abs(found[c] - expected[c]) <= 0.5e-4);
}

}  // namespace

TEST_CASE("datasets: every registered set that is there can be read") {
  CHECK(Registry<DatasetEntry>::names().size() >= 15);
  for (const std::string& name : Registry<DatasetEntry>::names()) {
    CAPTURE(name);
    if (!locate(name, "")) {
      MESSAGE("skipped: no " << name << " in $EASGD_DATA or data/");
      check_says(failure(name, "/nowhere"), {name + ": not found", "/nowhere", "no such folder"});
      continue;
    }
    const DataSplit split = read_dataset(name, {"", 1});
    CHECK(!split.source.empty());
    CHECK(split.train->shape() == split.test->shape());
    CHECK(split.train->classes() == split.test->classes());
    check_half(*split.train);
    check_half(*split.test);
  }
}

TEST_CASE("datasets: an unknown name lists the known ones") {
  CHECK_THROWS_AS(locate("cifar", ""), ConfigError);
  try {
    read_dataset("cifar", {});
    FAIL("no error");
  } catch (const ConfigError& error) {
    check_says(error.what(),
               {"\"cifar\"", "cifar10", "cifar100", "fashion_mnist", "mnist", "synthetic"});
  }
}

TEST_CASE("datasets: cifar10 is the published one") {
  if (!locate("cifar10", "")) {
    MESSAGE("skipped: no cifar10 in $EASGD_DATA or data/");
    return;
  }
  const DataSplit split = read_dataset("cifar10", {"", 1});
  CHECK(split.train->size() == 50000);
  CHECK(split.test->size() == 10000);
  CHECK(split.train->shape() == Shape{3, 32, 32});
  CHECK(first_labels(*split.train, 10) == std::vector{6, 9, 9, 4, 1, 1, 2, 7, 8, 3});
  CHECK(first_labels(*split.test, 10) == std::vector{3, 8, 8, 0, 6, 6, 1, 6, 3, 1});
  const Normalisation found = measure_normalisation(*split.train);
  check_four_digits(found.mean, {0.4914, 0.4822, 0.4465});
  check_four_digits(found.deviation, {0.2470, 0.2435, 0.2616});
  // The same set, named by its own folder.
  CHECK(locate("cifar10", split.source) == split.source);
}

TEST_CASE("datasets: mnist is the published one") {
  if (!locate("mnist", "")) {
    MESSAGE("skipped: no mnist in $EASGD_DATA or data/");
    return;
  }
  const DataSplit split = read_dataset("mnist", {"", 1});
  CHECK(split.train->size() == 60000);
  CHECK(split.test->size() == 10000);
  CHECK(split.train->shape() == Shape{1, 28, 28});
  CHECK(first_labels(*split.train, 10) == std::vector{5, 0, 4, 1, 9, 2, 1, 3, 1, 4});
  CHECK(first_labels(*split.test, 10) == std::vector{7, 2, 1, 0, 4, 1, 4, 9, 5, 9});
  const Normalisation found = measure_normalisation(*split.train);
  check_four_digits(found.mean, {0.1307});
  check_four_digits(found.deviation, {0.3081});
}

TEST_CASE("datasets: synthetic is balanced and has the same bits on every machine") {
  const DataSplit split = read_dataset("synthetic", {"/nowhere", 1});
  Scratch scratch;
  uLong sum = crc32(0, nullptr, 0);
  for (const Dataset* half : {split.train.get(), split.test.get()}) {
    std::vector<std::size_t> count(10);
    for (std::size_t i = 0; i < half->size(); ++i) {
      const auto image = half->image(i, scratch).pixels;
      const auto label = static_cast<std::uint8_t>(half->label(i));
      ++count[label];
      sum = crc32(sum, image.data(), static_cast<uInt>(image.size()));
      sum = crc32(sum, &label, 1);
    }
    CHECK(count == std::vector<std::size_t>(10, half->size() / 10));
  }
  CHECK(sum == 0xa3080bed);  // where it changes, published curves no longer repeat
}

TEST_CASE("datasets: synthetic draws as many pictures of as many shapes as its keys say") {
  const auto read = [](const std::string& keys) {
    const auto reader = make_dataset_reader("synthetic");
    config::read_text(
        keys, "test", {}, [&](config::Fields& f) { reader->fields(f); }, "keys");
    CHECK(reader->facts()->classes == 3);
    return reader->read({"", 1});
  };
  const DataSplit few = read("samples = 50\nclasses = 3"), more = read("samples = 90\nclasses = 3");
  CHECK(few.train->size() == 50);
  CHECK(more.train->size() == 90);
  CHECK(few.train->classes() == 3);
  std::vector<int> count(3);
  for (const int label : first_labels(*few.train, 50)) ++count.at(std::size_t(label));
  CHECK(*std::ranges::min_element(count) == 16);
  // The test half depends on the classes alone.
  CHECK(few.test->size() == 4000);
  CHECK(pixels_of(*few.test, 7) == pixels_of(*more.test, 7));
}

TEST_CASE("datasets: synthetic draws no picture that is not used, and the same ones") {
  const auto read = [](const DatasetOptions& options) {
    return make_dataset_reader("synthetic")->read(options);
  };
  const DataSplit all = read({.seed = 3});
  const DataSplit few = read({.seed = 3, .training_limit = 20, .test_limit = 30});
  CHECK(few.train->size() == 20);
  CHECK(few.test->size() == 30);
  CHECK(first_labels(*few.train, 20) == first_labels(*all.train, 20));
  CHECK(pixels_of(*few.train, 19) == pixels_of(*all.train, 19));
  CHECK(pixels_of(*few.test, 29) == pixels_of(*all.test, 29));
  CHECK(read({.training_limit = 50000}).train->size() == 20000);
}

TEST_CASE("datasets: synthetic follows its seed, and its halves share nothing") {
  const DataSplit one = read_dataset("synthetic", {"", 1}),
                  two = read_dataset("synthetic", {"", 2});
  std::set<std::string> images;
  const auto add = [&](const Dataset& half) {
    Scratch scratch;
    for (std::size_t i = 0; i < 2000; ++i) {
      const auto image = half.image(i, scratch).pixels;
      images.insert({image.begin(), image.end()});
    }
  };
  for (const DataSplit* split : {&one, &two}) {
    add(*split->train);
    add(*split->test);
  }
  CHECK(images.size() == 4 * 2000);
}

TEST_CASE("datasets: a folder is found by itself, by its parent and through EASGD_DATA") {
  const TemporaryFolder data;
  const fs::path own = data.path() / "mnist";
  CHECK(!locate("mnist", data.string()));
  write_tiny_mnist(own);
  CHECK(locate("mnist", data.string()) == own.string());
  CHECK(locate("mnist", own.string()) == own.string());
  CHECK(!locate("fashion_mnist", data.string()));
  CHECK(!locate("cifar10", data.string()));
  CHECK(locate("synthetic", data.string()) == "built in");
  const Variable variable(data.string());
  CHECK(locate("mnist", "") == own.string());
  CHECK(read_dataset("mnist", {}).source == own.string());
  fs::remove(own / "t10k-labels-idx1-ubyte");
  CHECK(!locate("mnist", ""));
}

TEST_CASE("datasets: a missing folder says where it was looked for and what to do") {
  const TemporaryFolder data;
  check_says(failure("cifar10", data.string()),
             {"cifar10: not found", data.string() + "/cifar-10-batches-bin", "data.dir",
              "tools/fetch cifar10", "data.set = \"synthetic\""});
  const Variable variable(data.string() + "/none");
  check_says(failure("mnist", ""), {"mnist: not found", "/none (no such folder)", "$EASGD_DATA"});
}

TEST_CASE("datasets: cifar files of the wrong size, missing, folders, bad labels") {
  const TemporaryFolder data;
  const fs::path folder = data.path() / "cifar-10-batches-bin";
  write_blank_cifar10(folder);
  const fs::path third = folder / "data_batch_3.bin";
  SUBCASE("blank files are a set") {
    CHECK(read_dataset("cifar10", {data.string(), 1}).train->size() == 50000);
  }
  SUBCASE("too short") {
    fs::resize_file(third, 1024);
    check_says(failure("cifar10", data.string()),
               {third.string(), "expected 30730000 bytes, found 1024"});
  }
  SUBCASE("too long") {
    fs::resize_file(third, 30730001);
    check_says(failure("cifar10", folder.string()), {third.string(), "found 30730001"});
  }
  SUBCASE("missing") {
    fs::remove(third);
    check_says(failure("cifar10", data.string()), {third.string(), "file missing", "tools/fetch"});
  }
  SUBCASE("a folder") {
    fs::remove(third);
    fs::create_directory(third);
    check_says(failure("cifar10", data.string()),
               {third.string(), "expected a file, found a folder"});
  }
  SUBCASE("label") {
    write_byte(third, 4567 * 3073, 10);
    check_says(failure("cifar10", data.string()),
               {third.string(), "record 4567", "label 10", "0..9"});
  }
  SUBCASE("unreadable") {
    open_to_all(data.path());
    fs::permissions(third, fs::perms::none);
    const Anybody anybody;
    CHECK(!locate("cifar10", data.string()));
    check_says(why_not_located("cifar10", data.string(), "--dir"),
               {third.string(), "cannot be read: Permission denied; check its permissions"});
  }
}

namespace {

/// CIFAR-100, blank but for the second test picture: coarse class 19, fine 99, first pixel 77.
struct Cifar100 : TemporaryFolder {
  const fs::path folder = path() / "cifar-100-binary";

  Cifar100() {
    write_blank_cifar100(folder);
    for (const auto& [byte, value] : {std::pair{0, 19}, {1, 99}, {2, 77}}) {
      write_byte(folder / "test.bin", std::size_t(3074 + byte), std::uint8_t(value));
    }
  }
};

}  // namespace

TEST_CASE("datasets: cifar100 learns the fine label") {
  const Cifar100 data;
  const DataSplit split = read_dataset("cifar100", {data.string(), 1});
  CHECK(split.train->classes() == 100);
  CHECK(first_labels(*split.test, 3) == std::vector{0, 99, 0});
  CHECK(pixels_of(*split.test, 1)[0] == 77);
  write_byte(data.folder / "test.bin", 3074 + 1, 100);
  check_says(failure("cifar100", data.string()), {"test.bin", "record 1", "label 100", "0..99"});
}

TEST_CASE("datasets: idx files plain and packed") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path());
  for (const char* name : {"mnist", "fashion_mnist"}) {
    const DataSplit split = read_dataset(name, {folder.string(), 1});
    CHECK(split.train->shape() == Shape{1, 2, 2});
    CHECK(first_labels(*split.train, 3) == std::vector{7, 0, 9});
    CHECK(pixels_of(*split.train, 2)[1] == 'j');
    CHECK(pixels_of(*split.test, 1)[3] == 'H');
  }
  const fs::path plain = folder.path() / "train-images-idx3-ubyte";
  write_gzip(plain.string() + ".gz", idx({3, 2, 2}, "mnopqrstuvwx"));
  fs::remove(plain);
  CHECK(pixels_of(*read_dataset("mnist", {folder.string(), 1}).train, 0)[0] == 'm');
}

TEST_CASE("datasets: damaged idx files") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path());
  const fs::path images = folder.path() / "train-images-idx3-ubyte";
  const fs::path labels = folder.path() / "train-labels-idx1-ubyte";
  const auto says = [&](const std::vector<std::string>& parts) {
    check_says(failure("mnist", folder.string()), parts);
  };
  SUBCASE("magic") {
    write(images,
          "\x7f"
          "ELF" +
              std::string(100, 'x'));
    says({images.string(), "IDX magic number 00000803", "found 7f454c46"});
  }
  SUBCASE("labels in place of images") {
    write(images, idx({3}, "abc"));
    says({images.string(), "expected the IDX magic number 00000803", "found 00000801"});
  }
  SUBCASE("empty") {
    write(images, "");
    says({images.string(), "expected an IDX header, found 0 bytes"});
  }
  SUBCASE("header cut") {
    write(images, idx({3, 2, 2}, "").substr(0, 10));
    says({images.string(), "ends inside the IDX header"});
  }
  SUBCASE("too short") {
    write(images, idx({3, 2, 2}, "abcdefghijk"));
    says({images.string(), "expected 12 bytes after the header, found 11"});
  }
  SUBCASE("too long") {
    write(images, idx({3, 2, 2}, "abcdefghijklm"));
    says({images.string(), "expected 12 bytes after the header, found more"});
  }
  SUBCASE("counts differ") {
    write(labels, idx({2}, "\1\2"));
    says({labels.string(), "2 labels for the 3 images", "train-images-idx3-ubyte"});
  }
  SUBCASE("label") {
    write(labels, idx({3}, "\1\x0b\2"));
    says({labels.string(), "record 1", "label 11", "0..9"});
  }
  SUBCASE("dimensions overflow") {
    write(images, idx({0xffffffff, 0xffffffff, 0xffffffff}, "abc"));
    says({images.string(), "4294967295 x 4294967295 x 4294967295", "damaged"});
  }
  SUBCASE("no images") {
    write(images, idx({0, 2, 2}, ""));
    says({images.string(), "0 x 2 x 2", "damaged"});
  }
  SUBCASE("a huge promise on a short file") {
    write(images, idx({1u << 30, 28, 28}, "abc"));
    says({images.string(), "expected 841813590016 bytes", "found 3"});
  }
  SUBCASE("training and test images differ") {
    write(folder.path() / "t10k-images-idx3-ubyte", idx({2, 1, 4}, "ABCDEFGH"));
    says({folder.string(), "2x2", "1x4"});
  }
}

TEST_CASE("datasets: a stray file does not hide the folder of the whole set") {
  const TemporaryFolder data;
  const fs::path own = data.path() / "cifar-100-binary";
  write_blank_cifar100(own);
  write(data.path() / "train.bin", "x");
  CHECK(locate("cifar100", data.string()) == own.string());
  CHECK(read_dataset("cifar100", {data.string(), 1}).source == own.string());
  // All of the names, in files that cannot be the set's.
  write(data.path() / "test.bin", "x");
  CHECK(locate("cifar100", data.string()) == own.string());
  // A folder before it in the order of names that has less.
  write_tiny_mnist(data.path() / "MNIST");
  write(data.path() / "mnist/train-labels-idx1-ubyte", "x");
  write(data.path() / "t10k-images-idx3-ubyte", "x");
  CHECK(locate("mnist", data.string()) == data / "MNIST");
}

TEST_CASE("datasets: of incomplete folders the fullest is told of, the set's own before others") {
  const TemporaryFolder data;
  const fs::path own = data.path() / "cifar-10-batches-bin";
  write_blank_cifar10(own);
  fs::remove(own / "data_batch_3.bin");
  write(data.path() / "data_batch_3.bin", "x");
  check_says(failure("cifar10", data.string()),
             {own / "data_batch_3.bin", "file missing", "`tools/fetch cifar10 " + data.string()});
  CHECK(!locate("cifar10", data.string()));
  // A folder with none of the files says nothing of where they are.
  fs::create_directory(data.path() / "mnist");
  check_says(failure("mnist", data.string()),
             {"mnist: not found", "/mnist (holds none of its files)",
              "move " + data / "mnist" + " away and run `tools/fetch mnist"});
  write_blank(data.path() / "train.bin", 153700000);
  write_blank(data.path() / "cifar100/test.bin", 30740000);
  check_says(failure("cifar100", data.string()), {data / "cifar100/train.bin", "file missing"});
}

TEST_CASE("datasets: a file is taken by the name under which it is one") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path());
  const fs::path dash = folder.path() / "train-images-idx3-ubyte";
  fs::rename(dash, folder.path() / "train-images.idx3-ubyte");
  fs::create_directory(dash);  // as unpackers make it of train-images-idx3-ubyte.gz
  CHECK(read_dataset("mnist", {folder.string(), 1}).train->size() == 3);
  CHECK(locate("mnist", folder.string()) == folder.string());
}

TEST_CASE("datasets: what may not be looked into is not called missing") {
  const TemporaryFolder data;
  const fs::path own = data.path() / "mnist", images = own / "train-images-idx3-ubyte";
  write_tiny_mnist(own);
  const std::string denied = "Permission denied; check its permissions";
  SUBCASE("the parent") {
    fs::permissions(data.path(), fs::perms::none);
    {
      const Anybody anybody;
      check_says(failure("mnist", data.string()),
                 {data.string() + ": cannot be examined: " + denied});
      check_says(why_not_located("mnist", data.string(), "--dir"), {denied});
    }
    open_to_all(data.path());
  }
  SUBCASE("the set's own folder") {
    open_to_all(data.path());
    fs::permissions(own, fs::perms::none);
    {
      const Anybody anybody;
      check_says(failure("mnist", data.string()),
                 {own.string() + ": cannot be examined: " + denied});
      check_says(failure("mnist", own.string()),
                 {own.string() + ": cannot be examined: " + denied});
    }
    open_to_all(own);
  }
  SUBCASE("a file") {
    open_to_all(data.path());
    fs::permissions(images, fs::perms::none);
    const Anybody anybody;
    check_says(failure("mnist", data.string()),
               {images.string() + ": cannot be opened for reading: " + denied});
  }
  SUBCASE("a folder of records that cannot be listed") {
    const fs::path records = data.path() / "cifar_records";
    write(records / "data_batch_1.bin", "");
    open_to_all(data.path());
    fs::permissions(records, fs::perms(0111));
    {
      const Anybody anybody;
      check_says(failure("cifar_records", data.string()),
                 {records.string() + ": cannot be examined: " + denied});
    }
    open_to_all(records);
  }
}

TEST_CASE("datasets: every reason why a place is no folder of data is told") {
  const TemporaryFolder data;
  write_tiny_mnist(data.path() / "mnist");
  const auto says = [&](const std::string& name, const std::vector<std::string>& parts) {
    check_says(failure("mnist", data / name), parts);
  };
  fs::create_symlink("loop", data.path() / "loop");
  says("loop", {"/loop: cannot be examined: Too many levels of symbolic links"});
  says(std::string(300, 'x'), {": cannot be examined: File name too long"});
  says("mnist/train-images-idx3-ubyte", {"(not a folder)"});
  says("mnist/train-images-idx3-ubyte/x", {"(Not a directory)"});
  fs::create_symlink("/gone/data", data.path() / "link");
  says("link", {"(a link to /gone/data, which is not there)"});
  const fs::path images = data.path() / "mnist/train-images-idx3-ubyte";
  fs::remove(images);
  fs::create_symlink("/gone/images", images);
  says("", {images.string() + ": a link to /gone/images, which is not there"});
  fs::remove(images);
  fs::create_symlink("/proc/self/mem", images);  // nothing can be read at its beginning
  says("", {images.string() + ": cannot be read beyond unpacked byte 0: Input/output error"});
}

TEST_CASE("datasets: what is advised about a wrong data.dir works") {
  const TemporaryFolder data;
  const std::string none = data / "none", there = data / "there";
  write_tiny_mnist(data.path() / "there/mnist");
  {
    const Variable variable("");
    const std::string line = failure("mnist", none);
    check_says(line, {none + " (no such folder)", "(data.dir)", "`--set data.dir=DIR`",
                      "`tools/fetch mnist " + none + "`"});
    CHECK(line.find("EASGD_DATA") == std::string::npos);
    check_says(why_not_located("mnist", none, "--dir"),
               {"(--dir)", "name another folder with --dir DIR"});
    check_says(failure("mnist", data / "it's"),
               {"`tools/fetch mnist '" + data.string() + "/it'\\''s'`"});
    CHECK(failure("mnist", data / "there/mnist/t10k-labels-idx1-ubyte").find("tools/fetch") ==
          std::string::npos);  // a file: no folder can be made there
    // Only where a network for the one fits the other.
    CHECK(failure("cifar100", none).find("synthetic") == std::string::npos);
  }
  {
    const Variable variable(there);
    check_says(failure("mnist", none),
               {"take data.dir away with `--set data.dir=`, so that $EASGD_DATA (" + there +
                "), which it comes before, counts"});
    CHECK(read_dataset("mnist", {"", 1}).train->size() == 3);
    check_says(failure("cifar10", none),
               {"$EASGD_DATA (" + there + "), which data.dir comes before, does not hold the set"});
  }
  const Variable variable(none);
  check_says(failure("mnist", ""), {"($EASGD_DATA)", "`--set data.dir=DIR` or $EASGD_DATA"});
}

TEST_CASE("datasets: a run's data that have moved are evaluated in $EASGD_DATA") {
  const TemporaryFolder folder;
  const fs::path old = folder.path() / "old";
  const std::string labels = "\1\2\3\4\5\6\7\1\2\3";
  write_idx_half(old, "train", labels);
  write_idx_half(old, "t10k", labels);
  const std::string run = folder / "run";
  const auto trained = program(
      "train configs/mnist_logistic.toml --set workers.devices=cpu --set workers.threads=1 "
      "--set workers.batch=2 --set algorithm.tau=1 --set data.dir=" +
      old.string() + " --out " + run);
  CAPTURE(trained.text);
  REQUIRE(trained.code == 0);
  const std::string there = program("evaluate " + run, "unset EASGD_DATA; ").text;
  const std::string gone = folder / "new";
  fs::rename(old, gone);
  const std::string found = "mnist: not found in " + old.string() + ", where the run had it";

  const auto moved = program("evaluate " + run, "export EASGD_DATA=" + gone + "; ");
  CHECK(moved.code == 0);
  CHECK(moved.text == found + " (data.dir); taken from $EASGD_DATA (" + gone + ")\n" + there);
  CHECK(program("evaluate " + run + " --set data.dir=" + gone, "unset EASGD_DATA; ").text == there);
  CHECK(program("evaluate " + run + " --set data.dir=", "export EASGD_DATA=" + gone + "; ").text ==
        there);

  check_one_line(program("evaluate " + run, "unset EASGD_DATA; "), 3,
                 "say where it is now with EASGD_DATA=DIR or --set data.dir=DIR");
  check_one_line(program("evaluate " + run, "export EASGD_DATA=/none; "), 3,
                 "nor in $EASGD_DATA (/none)");
  // A folder that is given is meant.
  check_one_line(
      program("evaluate " + run + " --set data.dir=/none", "export EASGD_DATA=" + gone + "; "), 3,
      "looked in /none");
  const std::string again = " --out " + folder / "again";
  check_one_line(
      program("train " + run + "/config.toml" + again, "export EASGD_DATA=" + gone + "; "), 3,
      "`--set data.dir=`");
  CHECK(program("train " + run + "/config.toml --set data.dir=" + again,
                "export EASGD_DATA=" + gone + "; ")
            .code == 0);
  // What is still there, and wrong, has not moved.
  write(old / "train-images-idx3-ubyte", "x");
  check_one_line(program("evaluate " + run, "export EASGD_DATA=" + gone + "; "), 3,
                 old.string() + "/train-images-idx3-ubyte: expected an IDX header");
}

TEST_CASE("datasets: an idx set has as many classes as its largest label says") {
  const TemporaryFolder folder;
  write_idx_half(folder.path(), "train", std::string("\x00\x05\x02", 3));
  write_idx_half(folder.path(), "t10k", "\x11");
  DataSplit split = read_dataset("idx", {folder.string(), 1});
  CHECK(split.train->classes() == 18);  // of both halves, with gaps
  CHECK(split.test->classes() == 18);
  CHECK(split.train->shape() == Shape{1, 2, 3});
  CHECK(first_labels(*split.train, 3) == std::vector{0, 5, 2});
  write_idx_half(folder.path(), "train", "\xff");
  CHECK(read_dataset("idx", {folder.string(), 1}).train->classes() == 256);
}

TEST_CASE("datasets: the test half of an idx set is called t10k or test") {
  const TemporaryFolder folder;
  write_idx_half(folder.path(), "train", "\1");
  check_says(failure("idx", folder.string()), {"t10k-images", "file missing"});
  write_idx_half(folder.path(), "test", "\2\3");
  CHECK(first_labels(*read_dataset("idx", {folder.string(), 1}).test, 2) == std::vector{2, 3});
  CHECK(locate("idx", folder.string()) == folder.string());
  write_idx_half(folder.path(), "t10k", "\2");
  check_says(failure("idx", folder.string()),
             {"t10k-images-idx3-ubyte: is there beside test-images-idx3-ubyte", "move"});
  check_says(failure("idx", folder / "none"),
             {"name the folder that holds train-images-idx3-ubyte.gz and the like"});
}

TEST_CASE("datasets: a label beyond a set's classes tells of data.set = \"idx\"") {
  const TemporaryFolder folder;
  write_idx_half(folder.path(), "train", "\1\x0a");
  write_idx_half(folder.path(), "t10k", "\1");
  for (const char* name : {"mnist", "fashion_mnist", "kmnist"})
    check_says(failure(name, folder.string()),
               {"train-labels-idx1-ubyte: record 1: label 10 is not in 0..9",
                "data.set = \"idx\" with data.dir = \"" + folder.string() + "\""});
  CHECK(read_dataset("idx", {folder.string(), 1}).train->classes() == 11);
}

TEST_CASE("datasets: colours of an idx set are read where their place is certain") {
  const TemporaryFolder folder;
  const auto write_images = [&](const std::vector<std::uint32_t>& sides,
                                const char* tail = "idx4") {
    std::size_t size = 1;
    std::string pixels;
    for (const std::uint32_t side : sides) size *= side;
    for (std::size_t i = 0; i < size; ++i) pixels += char(i);
    for (const std::string half : {"train", "t10k"}) {
      std::vector<std::uint32_t> all{1};
      all.insert(all.end(), sides.begin(), sides.end());
      write(folder.path() / (half + "-images-" + tail + "-ubyte"), idx(all, pixels));
      write(folder.path() / (half + "-labels-idx1-ubyte"), idx({1}, "\1"));
    }
  };
  const auto pixels = [&] {
    const auto set = std::move(read_dataset("idx", {folder.string(), 1}).train);
    CHECK(set->shape() == Shape{3, 2, 4});
    const auto image = pixels_of(*set, 0);
    return std::vector<int>(image.begin(), image.begin() + 10);
  };
  write_images({2, 4, 3});
  CHECK(pixels() == std::vector{0, 3, 6, 9, 12, 15, 18, 21, 1, 4});
  write_images({3, 2, 4});
  CHECK(pixels() == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (const auto& sides :
       std::vector<std::vector<std::uint32_t>>{{3, 4, 3}, {2, 4, 2}, {3, 3, 4}}) {
    write_images(sides);
    check_says(failure("idx", folder.string()), {"expected [N][H][W][C] or [N][C][H][W]", "1 x "});
  }
  fs::remove(folder.path() / "train-images-idx4-ubyte");
  write_images({2, 4, 3}, "idx3");  // the header counts, not the name
  CHECK(pixels()[1] == 3);
  check_says(failure("mnist", folder.string()),
             {"found 00000804 (bytes in 4 dimensions)", "expected the IDX magic number 00000803"});
}

TEST_CASE("datasets: idx files of other elements than bytes are named") {
  const TemporaryFolder folder;
  write_idx_half(folder.path(), "train", "\1");
  write_idx_half(folder.path(), "t10k", "\1");
  std::string floats = idx({1, 2, 3}, std::string(24, 'x'));
  floats[2] = 13;
  write(folder.path() / "train-images-idx3-ubyte", floats);
  check_says(failure("idx", folder.string()), {"found 00000d03 (32-bit floats in 3 dimensions)"});
  write(folder.path() / "train-images-idx3-ubyte", idx({1, 1u << 17, 1}, "abc"));
  check_says(failure("idx", folder.string()), {"1 x 131072 x 1", "damaged"});
}

TEST_CASE("datasets: emnist has its classes, counted from 0, and its pictures upright") {
  const TemporaryFolder data;
  const fs::path folder = data.path() / "EMNIST/raw";
  for (const auto& [split, classes, first] : {std::tuple{"letters", 26, 1},
                                              {"balanced", 47, 0},
                                              {"bymerge", 47, 0},
                                              {"byclass", 62, 0},
                                              {"digits", 10, 0},
                                              {"mnist", 10, 0}}) {
    CAPTURE(split);
    const std::string name = std::string("emnist_") + split,
                      prefix = std::string("emnist-") + split;
    const std::string labels{char(first), char(first + classes - 1)};
    write_idx_half(folder, prefix + "-train", labels);
    write_idx_half(folder, prefix + "-test", labels);
    const DataSplit read = read_dataset(name, {data.string(), 1});
    CHECK(read.train->classes() == classes);
    CHECK(first_labels(*read.train, 2) == std::vector{0, classes - 1});
    CHECK(first_labels(*read.test, 2) == std::vector{0, classes - 1});
    // The files have columns for rows.
    CHECK(read.train->shape() == Shape{1, 3, 2});
    const auto image = pixels_of(*read.train, 1);
    CHECK(std::string(image.begin(), image.end()) == "adbecf");
    write_idx_half(folder, prefix + "-test", std::string{char(first + classes)});
    check_says(failure(name, data.string()), {"label " + std::to_string(first + classes),
                                              "is not in " + std::to_string(first) + ".."});
  }
  write_idx_half(folder, "emnist-letters-test", std::string(1, '\0'));
  check_says(failure("emnist_letters", data.string()), {"label 0 is not in 1..26"});
}

TEST_CASE("datasets: emnist is found packed and in the folders that people have") {
  for (const char* name : {"emnist", "EMNIST", "gzip", "EMNIST/raw", "emnist/gzip"}) {
    CAPTURE(name);
    const TemporaryFolder data;
    const fs::path folder = data.path() / name;
    write_idx_half(folder, "emnist-digits-train", "\1");
    write_idx_half(folder, "emnist-digits-test", "\1");
    for (const fs::path& path : {folder / "emnist-digits-train-images-idx3-ubyte",
                                 folder / "emnist-digits-test-labels-idx1-ubyte"}) {
      write_gzip(path.string() + ".gz", read_bytes(path));
      fs::remove(path);
    }
    CHECK(read_dataset("emnist_digits", {data.string(), 1}).source == folder.string());
    CHECK(!locate("emnist_mnist", data.string()));
  }
}

TEST_CASE("datasets: one's own records in CIFAR's format, in any number") {
  const TemporaryFolder folder;
  const fs::path& own = folder.path();
  write(own / "data_batch_2.bin", records({1, 4}));
  write(own / "data_batch_10.bin", records({6}));
  write(own / "data_batch_1.bin", records({5, 0, 2}));
  write(own / "test_batch.bin", records({3}));
  const DataSplit split = read_dataset("cifar_records", {folder.string(), 1});
  CHECK(split.train->size() == 6);
  CHECK(split.train->classes() == 7);
  CHECK(split.test->classes() == 7);
  CHECK(split.train->shape() == Shape{3, 32, 32});
  CHECK(first_labels(*split.train, 6) == std::vector{5, 0, 2, 1, 4, 6});  // 10 after 2
  CHECK(pixels_of(*split.train, 5)[1] == 1);
  CHECK(locate("cifar_records", folder.string()) == folder.string());

  SUBCASE("in single files, with a list of classes") {
    const TemporaryFolder other;
    write(other.path() / "train.bin", records({1, 2}));
    write(other.path() / "test.bin", records({0}));
    CHECK(read_dataset("cifar_records", {other.string(), 1}).train->classes() == 3);
    write(other.path() / "batches.meta.txt", "a\nb\nc\nd\n\n");
    CHECK(read_dataset("cifar_records", {other.string(), 1}).train->classes() == 4);
    write(other.path() / "classes.txt", "a\r\nb");
    check_says(failure("cifar_records", other.string()),
               {"train.bin: record 1: label 2 is not in 0..1", "classes.txt names 2 classes"});
    write(other.path() / "classes.txt", std::string("a\0\n\0b\0\n\0", 8));  // UTF-16
    check_says(failure("cifar_records", other.string()), {"classes.txt", "save it as UTF-8"});
    write(other.path() / "classes.txt", "\n");
    check_says(failure("cifar_records", other.string()),
               {"classes.txt: expected the names", "found 0"});
  }
  SUBCASE("no whole number of records") {
    write(own / "data_batch_2.bin", records({1, 4}) + "x");
    check_says(failure("cifar_records", folder.string()),
               {"data_batch_2.bin: expected a whole number of records of 3073 bytes",
                "found 6147 bytes: 2 records and 1 bytes"});
    write(own / "data_batch_2.bin", "");
    check_says(failure("cifar_records", folder.string()), {"found 0 bytes"});
  }
  SUBCASE("two answers to one question") {
    write(own / "train.bin", records({1}));
    check_says(failure("cifar_records", folder.string()), {"is there beside train.bin", "move"});
    fs::remove(own / "train.bin");
    write(own / "test.bin", records({1}));
    check_says(failure("cifar_records", folder.string()),
               {"test_batch.bin: is there beside test.bin"});
  }
  SUBCASE("a name without a number") {
    write(own / "data_batch_1 copy.bin", records({1}));
    check_says(failure("cifar_records", folder.string()),
               {"data_batch_1 copy.bin: expected a number"});
  }
  SUBCASE("a half is missing") {
    fs::remove(own / "test_batch.bin");
    check_says(failure("cifar_records", folder.string()),
               {"test.bin: file missing", "test_batch.bin"});
    CHECK(!locate("cifar_records", folder.string()));
  }
}

TEST_CASE("datasets: cifar10 stays the published one, and tells of sets of one's own") {
  const TemporaryFolder data;
  const fs::path folder = data.path() / "cifar10";
  write_blank_cifar10(folder);
  fs::resize_file(folder / "data_batch_1.bin", 9999 * 3073);
  check_says(failure("cifar10", data.string()),
             {"data_batch_1.bin: expected 30730000 bytes, found 30726927", "fetch it again",
              "9999 pictures of your own", "data.set = \"cifar_records\""});
  CHECK(read_dataset("cifar_records", {folder.string(), 1}).train->size() == 49999);
  fs::resize_file(folder / "data_batch_1.bin", 9999 * 3073 - 1);
  const std::string line = failure("cifar10", data.string());
  check_says(line, {"fetch it again"});
  CHECK(line.find("cifar_records") == std::string::npos);
}

TEST_CASE("datasets: cifar100_coarse learns the coarse label of the same files") {
  const Cifar100 data;
  const DataSplit split = read_dataset("cifar100_coarse", {data.string(), 1});
  CHECK(split.train->classes() == 20);
  CHECK(first_labels(*split.test, 3) == std::vector{0, 19, 0});
  CHECK(pixels_of(*split.test, 1)[0] == 77);
  write_byte(data.folder / "test.bin", 3074, 20);
  check_says(failure("cifar100_coarse", data.string()),
             {"test.bin", "record 1", "label 20", "0..19"});
  CHECK(read_dataset("cifar100", {data.string(), 1}).test->label(1) == 99);
}

TEST_CASE("datasets: the Python version of cifar is recognised, and what is not unpacked") {
  const TemporaryFolder data;
  const fs::path ten = data.path() / "cifar-10-batches-py",
                 hundred = data.path() / "cifar-100-python";
  for (const char* name : {"data_batch_1", "test_batch", "batches.meta"}) write(ten / name, "\x80");
  for (const char* name : {"train", "test", "meta"}) write(hundred / name, "\x80");
  check_says(failure("cifar10", data.string()),
             {ten.string() + " is the Python version of CIFAR-10",
              "`tools/fetch cifar10 " + data.string() + "`"});
  check_says(failure("cifar10", ten.string()), {ten.string() + " is the Python version"});
  for (const char* set : {"cifar100", "cifar100_coarse"}) {
    check_says(
        failure(set, data.string()),
        {hundred.string() + " is the Python version of CIFAR-100", "`tools/fetch cifar100 "});
    check_says(failure(set, hundred.string()), {hundred.string() + " is the Python version"});
  }
  // Even where its folder has the other version's name.
  fs::rename(ten, data.path() / "cifar-10-batches-bin");
  check_says(failure("cifar10", data.string()), {"/cifar-10-batches-bin is the Python version"});
  const TemporaryFolder packed;
  write(packed.path() / "cifar-10-binary.tar.gz", "x");
  check_says(failure("cifar10", packed.string()),
             {"cifar-10-binary.tar.gz is the binary version, packed"});
}

TEST_CASE("datasets: damaged gzip files") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path());
  fs::remove(folder.path() / "train-images-idx3-ubyte");
  const fs::path images = folder.path() / "train-images-idx3-ubyte.gz";
  std::string noise;
  for (int i = 0; i < 120000; ++i) noise += char((i * 2654435761u) >> 13);
  write_gzip(images, idx({3, 200, 200}, noise));
  std::string packed = read_bytes(images);
  const std::string here = images.string() + ": damaged near unpacked byte ";
  SUBCASE("cut short") {
    write(images, packed.substr(0, packed.size() / 2));
    check_says(failure("mnist", folder.string()), {here, "unexpected end of file"});
  }
  SUBCASE("a wrong byte inside") {
    for (std::size_t i = 0; i < 50; ++i) packed[packed.size() / 2 + i] ^= 0x55;
    write(images, packed);
    check_says(failure("mnist", folder.string()), {here});
  }
  SUBCASE("a wrong check sum") {
    packed[packed.size() - 6] ^= 1;
    write(images, packed);
    check_says(failure("mnist", folder.string()), {here, "incorrect data check"});
  }
}

TEST_CASE("normalisation: constant channels, limits and exact values") {
  const ImageTable set({2, 1, 2}, 2, {0, 255, 9, 9, 255, 255, 9, 9}, {0, 1});
  const Normalisation all = measure_normalisation(set);
  CHECK(all.mean[0] == doctest::Approx(0.75));
  CHECK(all.deviation[0] == doctest::Approx(std::sqrt(3.0) / 4));
  CHECK(all.mean[1] == doctest::Approx(9 / 255.0));
  CHECK(all.deviation[1] == 1.0f);
  CHECK(measure_normalisation(set, 1).mean[0] == doctest::Approx(0.5));
  CHECK_THROWS_AS(measure_normalisation(ImageTable({1, 1, 1}, 1, {}, {})), DataError);
}

TEST_CASE("normalisation: every pixel counts once, whatever the size of its image") {
  const testing::MixedSizes set(20);
  double sum = 0, squares = 0, count = 0;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const std::size_t plane = set.shape_of(i).size() / 2;
    for (std::size_t p = plane; p < 2 * plane; ++p) {
      const double pixel = set.pixel_of(i, p) / 255.0;
      sum += pixel, squares += pixel * pixel, ++count;
    }
  }
  const Normalisation found = measure_normalisation(set);
  REQUIRE(found.mean.size() == 2);
  CHECK(found.mean[1] == doctest::Approx(sum / count));
  CHECK(found.deviation[1] ==
        doctest::Approx(std::sqrt(squares / count - sum * sum / count / count)));
}

TEST_CASE("datasets: a table holds labels of a thousand classes") {
  const ImageTable set({1, 1, 1}, 1000, {1, 2, 3}, {0, 256, 999});
  CHECK(first_labels(set, 3) == std::vector{0, 256, 999});
}

TEST_CASE("normalisation: a measured deviation can be read back as data.deviation") {
  // One pixel of n differs by 1: the deviation is 1 / (255 sqrt(n)), to the last digit.
  const auto measured = [](std::size_t n) {
    std::vector<std::uint8_t> pixels(n, 200);
    pixels[n / 2] = 201;
    return double(
        measure_normalisation(ImageTable({1, int(n / 1000), 1000}, 1, pixels, {0})).deviation[0]);
  };
  CHECK(measured(1000) == double(float(std::sqrt(999.0) / 1000 / 255)));
  CHECK(measured(15'000'000) == doctest::Approx(1.01254e-6).epsilon(1e-5));
  CHECK(measured(15'379'000) == 1);  // 1.0000e-6 and less: the float below is out of bounds
  CHECK(measured(16'000'000) == 1);
  CHECK(kLeastDeviation == 1e-6);
}
