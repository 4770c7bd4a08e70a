#include "evaluate/run_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "algorithms/statistics_policy.h"
#include "base/error.h"
#include "data/augmentation.h"
#include "nn/safetensors.h"

namespace easgd {

namespace {

Spawn spawn_for(const DataSplit& split, std::size_t computing) {
  if (split.train->has_one_size()) return spawn_on_tbb;  // nothing is decoded
  const std::size_t cores = most_data_threads();
  return spawn_on_arena(
      int(std::max({cores / 4, cores - std::min(cores, computing), std::size_t{1}})));
}

}  // namespace

Data::Data(const Config& config, std::size_t other_threads, std::size_t computing)
    : threads(other_threads),
      split(config.data.reader()->read({.dir = config.data.dir,
                                        .seed = std::uint64_t(config.seed),
                                        .training_limit = std::size_t(config.data.limit),
                                        .test_limit = std::size_t(config.data.test_limit),
                                        .on_bad_image = config.data.on_bad_image})),
      spawn(spawn_for(split, computing)),
      train_size(used_samples(*split.train, std::size_t(config.data.limit))),
      test_size(used_samples(*split.test, std::size_t(config.data.test_limit))) {
  if (config.data.mean.empty()) {
    const auto known = split.train->normalisation();
    normalisation = known ? *known : measure_normalisation(*split.train, train_size);
  } else {
    normalisation.mean.assign(config.data.mean.begin(), config.data.mean.end());
    normalisation.deviation.assign(config.data.deviation.begin(), config.data.deviation.end());
  }
}

Network make_network(const Config& config, Shape image, int classes) {
  return Network(cropped(image, config.data.cropping()), classes, config.network.layers);
}

void check_batch(const char* key, std::int64_t batch, const Network& network) {
  if (batch > 1) return;
  for (const Stage& stage : network.stages()) {
    if (stage.statistics.empty() || stage.input.height * stage.input.width > 1) continue;
    throw KeyError(key, fmt::format("a batch of 1 leaves each channel of {} ({}) one value, which "
                                    "has no variance; expected 2 or more",
                                    stage.layer->name, stage.layer->origin));
  }
}

bool recomputes_statistics(const Config& config, const Network& network) {
  return network.statistic_count() > 0 && config.network.statistics == StatisticsPolicy::recompute;
}

Buffer initial_state(const Config& config, const Network& network) {
  Buffer state = host_buffer(network.state_count());
  if (config.network.init.empty()) {
    initialise(network, std::uint64_t(config.seed), state);
  } else {
    safetensors::load(safetensors::read(config.network.init), config.network.init, network, state);
    if (const std::string bad = safetensors::not_finite(network, state); !bad.empty()) {
      throw DataError(fmt::format("{}: {}; expected the center of a run that did not diverge",
                                  config.network.init, bad));
    }
  }
  return state;
}

std::size_t batch_slots(const Config& config, Shape image) {
  const auto bytes = [](double images, Shape shape) {
    return images * double(shape.size()) * sizeof(float);
  };
  const auto workers = double(config.workers.each_device().size());
  // Test batches, and training batches for running statistics.
  const int of_evaluator = config.network.statistics == StatisticsPolicy::recompute ? 2 : 1;
  const double of_all =
      bytes(workers * double(config.workers.batch) + of_evaluator * double(config.evaluate.batch),
            cropped(image, config.data.cropping()));
  const double mebibyte = 1 << 20, fitting = double(config.data.memory) * mebibyte / of_all;
  if (fitting < double(kFewestBatchSlots)) {
    throw KeyError("data.memory",
                   fmt::format("{} MiB do not hold {} batches of each worker and of the evaluator; "
                               "expected {} or more, or smaller batches",
                               config.data.memory, kFewestBatchSlots,
                               std::int64_t(std::ceil(kFewestBatchSlots * of_all / mebibyte))));
  }
  return std::min(kBatchSlots, std::size_t(fitting));
}

LoaderOptions loader_options(const Config& config, const Data& data) {
  return {.batch = std::size_t(config.workers.batch),
          .crop = config.data.cropping(),
          .partition = config.data.partition,
          .order = config.data.order,
          .limit = data.train_size,
          .seed = std::uint64_t(config.seed),
          .normalisation = data.normalisation,
          .slots = batch_slots(config, data.split.train->shape()),
          .spawn = data.spawn};
}

}  // namespace easgd
