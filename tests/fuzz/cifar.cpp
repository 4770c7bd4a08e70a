// Pictures in CIFAR's record format, and the names of their classes: the first byte says which of
// the files the others are.
#include <algorithm>

#include "check_split.h"
#include "data/dataset_reader.h"
#include "target.h"

namespace easgd::testing {
namespace {

const std::string kRecord = '\1' + std::string(3072, 'x');

struct CifarFile {
  const char* name;
  std::string good;
};

const CifarFile kFiles[] = {
    {"train.bin", kRecord + kRecord}, {"test.bin", kRecord}, {"classes.txt", "cat\ndog\n"}};

void read(std::string_view bytes) {
  static const FuzzFolder folder;
  const std::size_t chosen = bytes.empty() ? 0 : std::size_t(bytes[0]) % std::size(kFiles);
  for (const CifarFile& file : kFiles) folder.put(file.name, file.good);
  folder.put(kFiles[chosen].name, bytes.substr(std::min<std::size_t>(1, bytes.size())));
  accepts([] { check_split(read_dataset("cifar_records", {.dir = folder.path()})); });
}

const RegisteredTarget kRegistered("cifar", {read});

}  // namespace
}  // namespace easgd::testing
