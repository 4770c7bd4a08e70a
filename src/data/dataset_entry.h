// What a reader in `datasets/` registers under the name of its data set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/registry.h"
#include "data/dataset.h"

namespace easgd {

struct DatasetOptions {
  std::string dir;         ///< the set's own folder or its parent; empty: see data/location.h
  std::uint64_t seed = 1;  ///< of generated sets; files do not care
};

/// Reads both halves of a set into memory.
/// Throws: DataError where the files are not there or are not what they should be.
using DatasetEntry = std::function<DataSplit(const DatasetOptions&)>;

/// What is known of a set before its files are read. Registered under the set's name.
struct DatasetFacts {
  Shape shape;
  int classes;
};

/// Throws: ConfigError where no data set has that name.
DataSplit read_dataset(const std::string& name, const DatasetOptions& options);

}  // namespace easgd
