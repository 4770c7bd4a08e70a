// What a configuration trains: its data, its network, its start.
#pragma once

#include <memory>
#include <string>

#include "base/view.h"
#include "data/data_threads.h"
#include "data/dataset_reader.h"
#include "data/loader.h"
#include "nn/network.h"
#include "settings/config.h"

namespace easgd {

/// The data of a configuration, read, and measured if it gives no mean and deviation.
struct Data {
  /// `other_threads`: that its owner is going to start, of which `computing` ones keep cores busy.
  explicit Data(const Config& config, std::size_t other_threads = 0, std::size_t computing = 0);

  DataThreads threads;  ///< outlive what they prepare
  DataSplit split;
  Spawn spawn;  ///< whoever decodes has all cores that others leave, and a quarter at least
  Normalisation normalisation;
  std::size_t train_size;  ///< after data.limit
  std::size_t test_size;   ///< after data.test_limit
};

/// The network of a configuration on images of `image` and `classes`.
/// Throws: ConfigError if layers do not fit each other or the images.
Network make_network(const Config& config, Shape image, int classes);

/// Throws: KeyError against `key` if a batch of that size leaves a channel of a batch normalisation
/// one value, which has no variance.
void check_batch(const char* key, std::int64_t batch, const Network& network);

/// Whether the network has running statistics, and they are taken anew before an evaluation.
bool recomputes_statistics(const Config& config, const Network& network);

/// The start of the center [P + S]: network.init if it is given, else the weights of the seed.
Buffer initial_state(const Config& config, const Network& network);

/// Batches that each loader may have memory for, within data.memory.
/// Throws: KeyError if that holds too few.
std::size_t batch_slots(const Config& config, Shape image);

/// The training batches of a configuration, for a run of one worker.
LoaderOptions loader_options(const Config& config, const Data& data);

}  // namespace easgd
