#include "train/task.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "train/devices.h"
#include "train/safetensors.h"

namespace easgd {
namespace {

constexpr std::uint32_t kOnlooker = kMostWorkers;  // a worker's number that no run has

std::size_t limited(std::size_t size, std::int64_t limit) {
  return limit == 0 ? size : std::min(size, std::size_t(limit));
}

}  // namespace

Data::Data(Config& config)
    : split(read_dataset(config.data.set, {config.data.dir, std::uint64_t(config.seed)})),
      train_size(limited(split.train->size(), config.data.limit)),
      test_size(limited(split.test->size(), config.data.test_limit)) {
  if (config.data.mean.empty()) {
    normalisation = measure_normalisation(*split.train, train_size);
    config.data.mean.assign(normalisation.mean.begin(), normalisation.mean.end());
    config.data.deviation.assign(normalisation.deviation.begin(), normalisation.deviation.end());
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
  return network.statistic_count() > 0 &&
         statistics_policy_named(config.network.statistics) == StatisticsPolicy::recompute;
}

Buffer initial_state(const Config& config, const Network& network) {
  Buffer state = host_buffer(network.state_count());
  if (config.network.init.empty()) {
    initialise(network, std::uint64_t(config.seed), state);
  } else {
    safetensors::load(safetensors::read(config.network.init), config.network.init, network, state);
  }
  return state;
}

TestSet::TestSet(const Config& config, const Data& data, const Network& network)
    : batches_(*data.split.test, {.batch = std::size_t(config.evaluate.batch),
                                  .crop = int(config.data.crop),
                                  .limit = data.test_size,
                                  .normalisation = data.normalisation}),
      backend_(place_evaluation(config.workers, config.evaluate).make_backend()),
      model_(backend_->compile(network, {.batch = std::size_t(config.evaluate.batch),
                                         .training = false,
                                         .precision = config.workers.precision,
                                         .seed = std::uint64_t(config.seed)})),
      state_(backend_->allocate(network.state_count())),
      parameters_(network.parameter_count()),
      train_(*data.split.train) {
  if (!recomputes_statistics(config, network)) return;
  const auto batch = std::size_t(config.evaluate.batch);
  const auto samples = std::min(std::size_t(config.network.statistics_samples), data.train_size);
  observed_batches_ = std::max<std::size_t>(1, samples / batch);
  // As a worker sees them, but one that is not there: its own order, crops and mirror images.
  observed_options_.batch = batch;
  observed_options_.crop = int(config.data.crop);
  observed_options_.pad = int(config.data.pad);
  observed_options_.flip = config.data.flip;
  observed_options_.limit = data.train_size;
  observed_options_.seed = std::uint64_t(config.seed);
  observed_options_.worker = kOnlooker;
  observed_options_.workers = kOnlooker + 1;
  observed_options_.normalisation = data.normalisation;
}

void TestSet::prepare(View state) {
  if (observed_batches_ == 0) return;
  if (!observed_) observed_ = std::make_unique<Loader>(train_, observed_options_);
  backend_->upload(state, state_);
  const View statistics = state_.view().subspan(parameters_);  // the first batch replaces them
  for (std::size_t i = 0; i < observed_batches_; ++i) {
    model_->observe(state_.view().first(parameters_), observed_->next(i), 1.0f / float(i + 1),
                    statistics);
  }
  backend_->finish();
  backend_->download(statistics, state.subspan(parameters_));
}

Tally TestSet::evaluate(ConstView state) {
  backend_->upload(state, state_);
  for (std::size_t i = 0; i < batches_.batches(); ++i) model_->evaluate(state_, batches_.at(i));
  backend_->finish();
  return model_->take_tally();
}

}  // namespace easgd
