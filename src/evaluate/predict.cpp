#include "evaluate/predict.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/backend.h"
#include "data/data_threads.h"
#include "data/evaluation_loader.h"
#include "exchange/worker_placement.h"

namespace easgd {
namespace {

std::vector<double> softmax(ConstView scores) {
  const double most = std::ranges::max(scores);
  std::vector<double> shares;
  double sum = 0;
  for (const float score : scores) sum += shares.emplace_back(std::exp(double(score) - most));
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace

void predict(const Config& config, const Network& network, ConstView state, const Dataset& images,
             const Normalisation& normalisation,
             const std::function<void(std::size_t index, std::span<const double>)>& take) {
  const auto classes = std::size_t(network.classes());
  const std::size_t batch = std::min(std::size_t(config.evaluate.batch), images.size());
  const DataThreads threads(std::size_t(config.evaluate.threads));
  EvaluationLoader batches(images, {.batch = batch,
                                    .crop = config.data.cropping(),
                                    .normalisation = normalisation,
                                    .slots = kFewestBatchSlots,
                                    .spawn = spawn_on_arena(int(most_data_threads()))});
  const auto backend = place_evaluation(config.workers, config.evaluate).make_backend();
  const auto model = backend->compile(
      network, {.batch = batch, .training = false, .precision = config.workers.precision});
  const Buffer there = backend->allocate(state.size());
  backend->upload(state, there);
  std::vector<float> scores(batch * classes);
  for (std::size_t i = 0; i < batches.batches(); ++i) {
    const Batch& now = batches.at(i);
    model->score(there, now, View(scores).first(now.size() * classes));
    for (std::size_t n = 0; n < now.size(); ++n)
      take(i * batch + n, softmax(ConstView(scores).subspan(n * classes, classes)));
  }
}

}  // namespace easgd
