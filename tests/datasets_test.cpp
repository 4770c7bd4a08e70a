// Do the readers read what is there, and say what is wrong where something is?
#include <doctest/doctest.h>
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
#include "data/dataset_entry.h"
#include "data/location.h"
#include "data/normalisation.h"
#include "temporary_folder.h"

using namespace easgd;
namespace fs = std::filesystem;

namespace {

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

/// Files of the right size that hold zeros, and take no room on the disk.
void write_blank_cifar10(const fs::path& folder) {
  fs::create_directories(folder);
  for (const char* name : {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                           "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}) {
    write(folder / name, "");
    fs::resize_file(folder / name, 30730000);
  }
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

/// What holds for any half of any set.
void check_half(const Dataset& set) {
  const Shape shape = set.shape();
  CHECK((shape.channels > 0 && shape.height > 0 && shape.width > 0));
  REQUIRE(set.size() > 0);
  std::vector<std::uint8_t> scratch(shape.size());
  std::set<int> labels;
  bool good = true;
  for (std::size_t i = 0; i < set.size(); ++i) {
    labels.insert(set.label(i));
    good = good && set.image(i, scratch).size() == shape.size();
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
  CHECK(Registry<DatasetEntry>::names().size() >= 5);
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
  std::vector<std::uint8_t> scratch(split.train->shape().size());
  uLong sum = crc32(0, nullptr, 0);
  for (const Dataset* half : {split.train.get(), split.test.get()}) {
    std::vector<std::size_t> count(10);
    for (std::size_t i = 0; i < half->size(); ++i) {
      const auto image = half->image(i, scratch);
      const auto label = static_cast<std::uint8_t>(half->label(i));
      ++count[label];
      sum = crc32(sum, image.data(), static_cast<uInt>(image.size()));
      sum = crc32(sum, &label, 1);
    }
    CHECK(count == std::vector<std::size_t>(10, half->size() / 10));
  }
  CHECK(sum == 0xa3080bed);  // where it changes, published curves no longer repeat
}

TEST_CASE("datasets: synthetic follows its seed, and its halves share nothing") {
  const DataSplit one = read_dataset("synthetic", {"", 1}),
                  two = read_dataset("synthetic", {"", 2});
  std::set<std::string> images;
  const auto add = [&](const Dataset& half) {
    std::vector<std::uint8_t> scratch(half.shape().size());
    for (std::size_t i = 0; i < 2000; ++i) {
      const auto image = half.image(i, scratch);
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
    if (geteuid() == 0) {
      MESSAGE("skipped: root may read everything");
      return;
    }
    fs::permissions(third, fs::perms::none);
    check_says(failure("cifar10", data.string()), {third.string(), "permissions"});
  }
}

TEST_CASE("datasets: cifar100 learns the fine label") {
  const TemporaryFolder data;
  const fs::path folder = data.path() / "cifar-100-binary";
  for (const auto& [name, records] :
       {std::pair{"train.bin", 50000}, std::pair{"test.bin", 10000}}) {
    write(folder / name, "");
    fs::resize_file(folder / name, records * std::uintmax_t{3074});
  }
  write_byte(folder / "test.bin", 3074 + 0, 19);
  write_byte(folder / "test.bin", 3074 + 1, 99);
  write_byte(folder / "test.bin", 3074 + 2, 77);
  const DataSplit split = read_dataset("cifar100", {data.string(), 1});
  CHECK(split.train->classes() == 100);
  CHECK(first_labels(*split.test, 3) == std::vector{0, 99, 0});
  CHECK(split.test->image(1, {})[0] == 77);
  write_byte(folder / "test.bin", 3074 + 1, 100);
  check_says(failure("cifar100", data.string()), {"test.bin", "record 1", "label 100", "0..99"});
}

TEST_CASE("datasets: idx files plain and packed") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path());
  for (const char* name : {"mnist", "fashion_mnist"}) {
    const DataSplit split = read_dataset(name, {folder.string(), 1});
    CHECK(split.train->shape() == Shape{1, 2, 2});
    CHECK(first_labels(*split.train, 3) == std::vector{7, 0, 9});
    CHECK(split.train->image(2, {})[1] == 'j');
    CHECK(split.test->image(1, {})[3] == 'H');
  }
  const fs::path plain = folder.path() / "train-images-idx3-ubyte";
  write_gzip(plain.string() + ".gz", idx({3, 2, 2}, "mnopqrstuvwx"));
  fs::remove(plain);
  CHECK(read_dataset("mnist", {folder.string(), 1}).train->image(0, {})[0] == 'm');
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
