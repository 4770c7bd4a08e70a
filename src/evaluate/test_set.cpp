#include "evaluate/test_set.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "exchange/worker_placement.h"

namespace easgd {
namespace {

constexpr std::uint32_t kOnlooker = kMostWorkers;  // a worker's number that no run has

std::function<Buffer(std::size_t)> mailboxes_of(Backend& backend) {
  return [&backend](std::size_t floats) { return backend.allocate_mailbox(floats); };
}

}  // namespace

TestSet::TestSet(const Config& config, const Data& data, const Network& network,
                 std::function<bool()> gives_up)
    : gives_up_(std::move(gives_up)),
      backend_(place_evaluation(config.workers, config.evaluate).make_backend()),
      batches_(*data.split.test, {.batch = std::size_t(config.evaluate.batch),
                                  .crop = config.data.cropping(),
                                  .limit = data.test_size,
                                  .normalisation = data.normalisation,
                                  .allocate = mailboxes_of(*backend_),
                                  .slots = batch_slots(config, data.split.test->shape()),
                                  .spawn = data.spawn}),
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
  observed_options_ = loader_options(config, data);
  observed_options_.allocate = mailboxes_of(*backend_);
  observed_options_.batch = batch;
  observed_options_.partition = Partition::whole;
  observed_options_.order = SampleOrder::shuffled;
  observed_options_.worker = kOnlooker;
  observed_options_.workers = kOnlooker + 1;
}

bool TestSet::prepare(View state) {
  if (observed_batches_ == 0) return false;
  if (!observed_) observed_ = std::make_unique<Loader>(train_, observed_options_);
  backend_->upload(state, state_);
  const View statistics = state_.view().subspan(parameters_);  // the first batch replaces them
  for (std::size_t i = 0; i < observed_batches_; ++i) {
    check_time();
    model_->observe(state_.view().first(parameters_), observed_->next(i), 1.0f / float(i + 1),
                    statistics);
  }
  backend_->finish();
  backend_->download(statistics, state.subspan(parameters_));
  return true;
}

/// Throws: GivenUp. What the model has counted of the test goes with it.
void TestSet::check_time() const {
  if (!gives_up_()) return;
  backend_->finish();
  model_->take_tally();
  throw GivenUp();
}

Tally TestSet::evaluate(ConstView state) {
  backend_->upload(state, state_);
  for (std::size_t i = 0; i < batches_.batches(); ++i) {
    check_time();
    model_->evaluate(state_, batches_.at(i));
  }
  backend_->finish();
  return model_->take_tally();
}

}  // namespace easgd
