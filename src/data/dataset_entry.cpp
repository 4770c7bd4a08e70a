#include "data/dataset_entry.h"

#include "base/error.h"

namespace easgd {

DataSplit read_dataset(const std::string& name, const DatasetOptions& options) {
  if (const DatasetEntry* read = Registry<DatasetEntry>::find(name)) return (*read)(options);
  std::string known;
  for (const auto& each : Registry<DatasetEntry>::names())
    known += (known.empty() ? "" : ", ") + each;
  throw KeyError("data.set", "no data set is called \"" + name + "\"; there are " + known);
}

}  // namespace easgd
