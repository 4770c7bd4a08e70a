// What a configuration trains: its data, its network, its start.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "data/dataset_entry.h"
#include "data/loader.h"
#include "nn/network.h"
#include "train/config.h"
#include "train/evaluator.h"

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
/// Throws: ConfigError where layers do not fit each other or the images.
Network make_network(const Config& config, Shape image, int classes);

/// Throws: KeyError against `key` where a batch of that size leaves a channel of a batch
/// normalisation one value, which has no variance.
void check_batch(const char* key, std::int64_t batch, const Network& network);

/// There are running statistics, and they are taken anew before an evaluation.
bool recomputes_statistics(const Config& config, const Network& network);

/// The center's start [P + S]: network.init where it is given, else the seed's weights.
Buffer initial_state(const Config& config, const Network& network);

/// The test set, and where network.statistics = "recompute" the training batches whose statistics
/// a state is given before it is evaluated: the means over as many whole batches as
/// network.statistics_samples has, at least one.
/// Thread: belongs to the one that made it.
class TestSet final : public CenterTest {
 public:
  /// `config.evaluate` says how many samples at a time, on how many threads.
  TestSet(const Config& config, const Data& data, const Network& network);
  void prepare(View state) override;
  Tally evaluate(ConstView state) override;

 private:
  EvaluationLoader batches_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  Buffer state_;
  const std::size_t parameters_;
  const Dataset& train_;
  std::size_t observed_batches_ = 0;  // 0 where statistics stay as they are
  LoaderOptions observed_options_;
  std::unique_ptr<Loader> observed_;  // made by the first prepare()
};

}  // namespace easgd
