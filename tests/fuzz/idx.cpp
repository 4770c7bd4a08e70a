// The files of a set in IDX format: the first byte says which of four the others are; the others
// are good. Plain, and gzipped.
#include <algorithm>

#include "check_split.h"
#include "data/dataset_reader.h"
#include "target.h"

namespace easgd::testing {
namespace {

using namespace std::string_literals;

struct IdxFile {
  const char* name;
  std::string good;  ///< two pictures of 2x3, or two labels
};

const IdxFile kFiles[] = {
    {"train-images-idx3-ubyte", "\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\3abcdefghijkl"s},
    {"train-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\2\1\0"s},
    {"t10k-images-idx3-ubyte", "\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\3abcdefghijkl"s},
    {"t10k-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\2\1\2"s}};

void read_set(const FuzzFolder& folder, std::string_view bytes, const std::string& ending) {
  const std::size_t chosen = bytes.empty() ? 0 : std::size_t(bytes[0]) % std::size(kFiles);
  for (const IdxFile& file : kFiles) folder.put(file.name, file.good);
  folder.remove(kFiles[chosen].name);
  const std::string name = kFiles[chosen].name + ending;
  folder.put(name, bytes.substr(std::min<std::size_t>(1, bytes.size())));
  accepts([&folder] { check_split(read_dataset("idx", {.dir = folder.path()})); });
  folder.remove(name);
}

void read(std::string_view bytes) {
  static const FuzzFolder folder;
  read_set(folder, bytes, "");
}

void read_gzip(std::string_view bytes) {
  static const FuzzFolder folder;
  read_set(folder, bytes, ".gz");
}

const RegisteredTarget kIdx("idx", {read}), kGzip("gzip", {read_gzip});

}  // namespace
}  // namespace easgd::testing
