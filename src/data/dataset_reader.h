// A data set that a configuration can name: its own keys, its files, and how it is read.
//
// A file in `datasets/` ends with a line that registers its reader:
//
//   const RegisteredDataset kMine([] { return std::make_unique<Mine>(); });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/registry.h"
#include "config/fields.h"
#include "data/dataset.h"
#include "data/dataset_files.h"

namespace easgd {

/// What comes of a picture that cannot be decoded.
enum class OnBadImage {
  skip,  ///< the next of its class takes its place
  stop,  ///< it is an error
};

struct DatasetOptions {
  std::string dir = {};    ///< the set's own folder or its parent; empty: see data/location.h
  std::uint64_t seed = 1;  ///< of generated sets; files do not care
  /// Samples that will be used, see used_samples(): a generated set may end there.
  std::size_t training_limit = 0, test_limit = 0;
  OnBadImage on_bad_image = OnBadImage::skip;
};

/// What is known of a set before it is read.
struct DatasetFacts {
  Shape shape;
  int classes;
};

class DatasetReader {
 public:
  virtual ~DatasetReader() = default;
  /// What data.set calls it.
  virtual std::string name() const = 0;
  /// Keys that [data] has for this set alone.
  virtual void fields(config::Fields&) {}
  /// nullopt: its files have to be read.
  virtual std::optional<DatasetFacts> facts() const { return std::nullopt; }
  /// nullopt: it needs none.
  virtual std::optional<DatasetFiles> files() const { return std::nullopt; }
  /// Of a set whose files are too many to be read for that: what tells it from others, wherever it
  /// lies.
  /// Throws: DataError if it is not found.
  virtual std::string listing(const std::string& /*dir*/) const { return ""; }
  /// Throws: DataError if the files are not there or are not what they should be.
  virtual DataSplit read(const DatasetOptions& options) const = 0;
};

/// Makes a reader with its keys at their defaults.
using DatasetEntry = std::function<std::unique_ptr<DatasetReader>()>;

struct RegisteredDataset : Registered<DatasetEntry> {
  explicit RegisteredDataset(const DatasetEntry& make) : Registered(make()->name(), make) {}
};

/// Throws: KeyError if no data set has that name.
std::unique_ptr<DatasetReader> make_dataset_reader(const std::string& name);

/// Reads a set whose own keys are at their defaults.
/// Throws: KeyError if no data set has that name, and what the reader throws.
DataSplit read_dataset(const std::string& name, const DatasetOptions& options);

}  // namespace easgd
