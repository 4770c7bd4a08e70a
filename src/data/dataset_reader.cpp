#include "data/dataset_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/nearest.h"

namespace easgd {

std::unique_ptr<DatasetReader> make_dataset_reader(const std::string& name) {
  if (const DatasetEntry* make = Registry<DatasetEntry>::find(name)) return (*make)();
  const auto known = Registry<DatasetEntry>::names();
  throw KeyError("data.set", fmt::format("no data set is called \"{}\"{}; there are {}", name,
                                         did_you_mean(name, known), fmt::join(known, ", ")));
}

DataSplit read_dataset(const std::string& name, const DatasetOptions& options) {
  return make_dataset_reader(name)->read(options);
}

}  // namespace easgd
