#include "evaluate/run_inputs.h"

#include <fmt/format.h>

#include "algorithms/statistics_policy.h"
#include "base/error.h"
#include "data/augmentation.h"
#include "nn/safetensors.h"

namespace easgd {

Data::Data(const Config& config, std::size_t other_threads)
    : threads(other_threads),
      split(config.data.reader()->read({.dir = config.data.dir,
                                        .seed = std::uint64_t(config.seed),
                                        .training_limit = std::size_t(config.data.limit),
                                        .test_limit = std::size_t(config.data.test_limit)})),
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
  return Network(cropped(image, int(config.data.crop)), classes, config.network.layers);
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

LoaderOptions loader_options(const Config& config, const Data& data) {
  return {.batch = std::size_t(config.workers.batch),
          .crop = int(config.data.crop),
          .pad = int(config.data.pad),
          .flip = config.data.flip,
          .partition = config.data.partition,
          .order = config.data.order,
          .limit = data.train_size,
          .seed = std::uint64_t(config.seed),
          .normalisation = data.normalisation,
          .set = config.data.set};
}

}  // namespace easgd
