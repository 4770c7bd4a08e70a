// The files of packed pictures: the first byte says which of them the others are; the others are
// good. An index as it is, and with its checksum mended: a change of one byte shall get beyond it.
#include <cstring>
#include <iterator>

#include "base/checksum.h"
#include "base/warning.h"
#include "data/dataset_reader.h"
#include "pictures/jpeg_writer.h"
#include "pictures/pack.h"
#include "target.h"

namespace easgd::testing {
namespace {

constexpr const char* kFiles[] = {"pack.index", "train-0000.index", "train-0000.bin",
                                  "test-0000.index"};

/// Pictures of two classes, packed raw or as they are.
class Good {
 public:
  explicit Good(bool raw) {
    namespace fs = std::filesystem;
    const std::vector<std::uint8_t> pixels(3 * 5 * 6, 99);
    const auto file = jpeg_of({{3, 5, 6}, pixels}, 90);
    for (const char* name : {"train/a/1.jpg", "train/b/2.jpg", "val/a/3.jpg"}) {
      fs::create_directories(fs::path(source_ / name).parent_path());
      std::ofstream(source_ / name, std::ios::binary)
          .write(reinterpret_cast<const char*>(file.data()), std::streamsize(file.size()));
    }
    Packing(find_pictures(source_.path(), 0), packed_.path(), {.raw = raw, .threads = 1})
        .run([](const PackProgress&) {});
    for (const char* name : kFiles) {
      std::ifstream stream(packed_ / name, std::ios::binary);
      files_.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
    }
  }

  void read_with(std::size_t chosen, std::string_view bytes) const {
    put(chosen, bytes);
    const WarningScope quiet([](const std::string&) {});
    accepts([this] {
      const DataSplit split = read_dataset("packed", {.dir = packed_.string()});
      for (const Dataset* half : {split.train.get(), split.test.get()}) {
        Scratch scratch;
        for (std::size_t i = 0; i < half->size(); ++i) {
          expect(half->label(i) >= 0 && half->label(i) < half->classes(), "labels are classes");
          const Image image = half->image(i, scratch);
          expect(image.pixels.size() == image.shape.size(), "pictures are whole");
        }
      }
    });
    put(chosen, files_[chosen]);
  }

 private:
  void put(std::size_t chosen, std::string_view bytes) const {
    std::ofstream(packed_ / kFiles[chosen], std::ios::binary | std::ios::trunc)
        .write(bytes.data(), std::streamsize(bytes.size()));
  }

  TemporaryFolder source_, packed_;
  std::vector<std::string> files_;
};

std::string mended(std::string bytes) {
  std::uint64_t hash = 0;
  if (bytes.size() < sizeof hash) return bytes;
  const std::size_t end = bytes.size() - sizeof hash;
  hash = checksum({reinterpret_cast<const std::uint8_t*>(bytes.data()), end});
  std::memcpy(bytes.data() + end, &hash, sizeof hash);
  return bytes;
}

void read(std::string_view bytes) {
  static const Good raw(true), copies(false);
  if (bytes.empty()) return;
  const std::size_t chosen = std::size_t(bytes[0]) % std::size(kFiles);
  for (const Good* good : {&raw, &copies}) {
    good->read_with(chosen, bytes.substr(1));
    good->read_with(chosen, mended(std::string(bytes.substr(1))));
  }
}

const RegisteredTarget kRegistered("pack", {read});

}  // namespace
}  // namespace easgd::testing
