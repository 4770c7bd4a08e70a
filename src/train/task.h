// What a configuration trains: its data, its network, its start.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "data/dataset_entry.h"
#include "data/loader.h"
#include "nn/network.h"
#include "train/config.h"

namespace easgd {

/// The data of a configuration, read and measured. Fills data.mean and data.deviation of `config`
/// where they are empty.
struct Data {
  explicit Data(Config& config);

  DataSplit split;
  Normalisation normalisation;
  std::size_t train_size;  ///< after data.limit
  std::size_t test_size;   ///< after data.test_limit
};

/// The network of a configuration on images of `image` and `classes`.
Network make_network(const Config& config, Shape image, int classes);

/// The center's start [P]: network.init where it is given, else the seed's weights.
Buffer initial_parameters(const Config& config, const Network& network);

/// Loss and hits of parameters x over the test set.
/// Thread: belongs to the one that made it.
class TestSet {
 public:
  /// `config.evaluate` says how many samples at a time, on how many threads.
  TestSet(const Config& config, const Data& data, const Network& network);
  Tally evaluate(ConstView x);

 private:
  EvaluationLoader batches_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  Buffer x_;
};

}  // namespace easgd
