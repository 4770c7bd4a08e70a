#include "train/task.h"

#include <fmt/format.h>

#include <algorithm>

#include "train/devices.h"
#include "train/safetensors.h"

namespace easgd {
namespace {

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

Buffer initial_parameters(const Config& config, const Network& network) {
  Buffer x = host_buffer(network.parameter_count());
  if (config.network.init.empty()) {
    initialise(network, std::uint64_t(config.seed), x);
  } else {
    safetensors::load(safetensors::read(config.network.init), config.network.init, network, x);
  }
  return x;
}

TestSet::TestSet(const Config& config, const Data& data, const Network& network)
    : batches_(*data.split.test, {.batch = std::size_t(config.evaluate.batch),
                                  .crop = int(config.data.crop),
                                  .limit = data.test_size,
                                  .normalisation = data.normalisation}),
      backend_((*Registry<BackendEntry>::find("cpu"))(
          {.index = 0,
           .threads = std::min(int(config.evaluate.threads), int(allowed_cores().size())),
           .cores = {}})),
      model_(backend_->compile(network, {.batch = std::size_t(config.evaluate.batch),
                                         .training = false,
                                         .precision = config.workers.precision,
                                         .seed = std::uint64_t(config.seed)})),
      x_(backend_->allocate(network.parameter_count())) {}

Tally TestSet::evaluate(ConstView x) {
  backend_->upload(x, x_);
  for (std::size_t i = 0; i < batches_.batches(); ++i) model_->evaluate(x_, batches_.at(i));
  backend_->finish();
  return model_->take_tally();
}

}  // namespace easgd
