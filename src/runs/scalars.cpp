#include "runs/scalars.h"

#include <fmt/format.h>

#include <numeric>

namespace easgd {
namespace {

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

void put_worker(Scalars& all, const WorkerProgress& w) {
  const auto put = [&](const char* group, double value) {
    all.values.push_back({fmt::format("{}/worker_{}", group, w.worker), value});
  };
  const double seconds = w.data_seconds + w.gradient_seconds + w.exchange_seconds;
  put("steps", double(w.steps));
  put("worker_train_loss", w.train_loss);
  put("learning_rate", w.learning_rate);
  put("data_seconds", w.data_seconds);
  put("gradient_seconds", w.gradient_seconds);
  put("exchange_seconds", w.exchange_seconds);
  put("data_wait_fraction", share(w.data_seconds, seconds));
  put("exchange_wait_fraction", share(w.exchange_seconds, seconds));
  put("exchanges", double(w.exchanges));
  put("refused", double(w.refused));
  put("staleness", double(w.staleness));
  put("distance", w.distance);
}

Scalars scalars(const EvaluationEvent& e, const std::string& seconds) {
  Scalars all{std::accumulate(e.steps.begin(), e.steps.end(), std::uint64_t(0)),
              {{"center/test_error", e.test_error},
               {"center/test_loss", e.test_loss},
               {"center/train_loss", e.train_loss},
               {"center/epoch", e.epoch},
               {"center/version", double(e.version)},
               {seconds, e.time}}};
  if (e.test_top5_error) all.values.push_back({"center/test_top5_error", *e.test_top5_error});
  return all;
}

Scalars scalars(const ProgressEvent& e, const std::string&) {
  Scalars all{0,
              {{"run/images_per_second", e.images_per_second},
               {"run/epoch", e.epoch},
               {"run/wall_seconds", e.seconds}}};
  if (e.fraction) all.values.push_back({"run/fraction", *e.fraction});
  for (const WorkerProgress& worker : e.workers) {
    all.step += worker.steps;
    put_worker(all, worker);
  }
  return all;
}

/// No curve is made of the others.
template <class Other>
Scalars scalars(const Other&, const std::string&) {
  return {};
}

}  // namespace

Scalars scalars_of(const Event& event, const std::string& seconds) {
  return std::visit([&](const auto& it) { return scalars(it, seconds); }, event);
}

}  // namespace easgd
