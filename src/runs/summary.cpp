#include "runs/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace easgd {
namespace {

using Json = nlohmann::json;

/// {"0.25": seconds, ...}: when each level, from 0.9 down in steps of 0.05 and below 0.1 of 0.01,
/// was first reached.
Json time_to_error(const std::vector<Evaluation>& evaluations) {
  Json result = Json::object();
  for (int percent = 90; percent > 0; percent -= percent > 10 ? 5 : 1) {
    const auto reached = std::ranges::find_if(
        evaluations, [percent](const Evaluation& e) { return e.test.error() <= percent / 100.0; });
    if (reached != evaluations.end()) result[fmt::format("{}", percent / 100.0)] = reached->seconds;
  }
  return result;
}

}  // namespace

nlohmann::json telemetry_json(const Team& team) {
  Json list = Json::array();
  for (std::size_t i = 0; i < team.workers(); ++i) {
    const WorkerTelemetry& t = team.telemetry(i);
    list.push_back({{"worker", i},
                    {"steps", t.clock.load()},
                    {"data_seconds", t.data_seconds.load()},
                    {"gradient_seconds", t.gradient_seconds.load()},
                    {"exchange_seconds", t.exchange_seconds.load()},
                    {"exchanges", t.exchanges.load()},
                    {"refused", t.refused.load()},
                    {"staleness", t.staleness.load()},
                    {"distance", t.distance.load()}});
  }
  return list;
}

bool Summary::diverged() const {
  const std::vector<Evaluation> all = evaluations();
  return !all.empty() && !std::isfinite(all.back().test.mean_loss());
}

std::vector<Evaluation> Summary::evaluations() const {
  const std::lock_guard lock(mutex_);
  return evaluations_;
}

void Summary::add(const Evaluation& evaluation) {
  const std::lock_guard lock(mutex_);
  evaluations_.push_back(evaluation);
}

nlohmann::json Summary::json(const Config& config, const ElasticRates& rates, const Team& team,
                             const std::string& status, double seconds, double images,
                             double epochs) const {
  const std::optional<double> virtual_seconds = team.master().view().seconds;
  double exchange = 0, data = 0, all = 0;
  std::uint64_t exchanges = 0, refused = 0;
  Json steps = Json::array();
  for (std::size_t i = 0; i < team.workers(); ++i) {
    const WorkerTelemetry& t = team.telemetry(i);
    exchange += t.exchange_seconds;
    data += t.data_seconds;
    all += t.run_seconds;
    exchanges += t.exchanges;
    refused += t.refused;
    steps.push_back(t.clock.load());
  }
  const std::vector<Evaluation> evaluations = this->evaluations();
  const auto of_last = [&evaluations](const auto& value) {
    return evaluations.empty() ? Json() : Json(value(evaluations.back()));
  };
  const auto best =
      std::ranges::min_element(evaluations, {}, [](const Evaluation& e) { return e.test.error(); });
  return {{"name", config.name},
          {"algorithm", config.algorithm.name},
          {"exchange", config::name_of(config.algorithm.exchange)},
          {"backend", config.workers.devices[0].substr(0, config.workers.devices[0].find(':'))},
          {"devices", config.workers.devices},
          {"workers", team.workers()},
          {"failed_workers", team.failed()},
          {"tau", config.algorithm.tau},
          {"alpha", rates.alpha},
          {"rho", rates.rho},
          {"beta", rates.beta},
          {"seed", config.seed},
          {"steps", steps},
          {"epochs", epochs},
          {"wall_seconds", seconds},
          {"virtual_seconds", virtual_seconds ? Json(*virtual_seconds) : Json()},
          {"images_per_second", images / seconds},
          {"version", of_last([](const Evaluation& e) { return e.version; })},
          {"train_loss", of_last([](const Evaluation& e) { return e.train.mean_loss(); })},
          {"test_loss", of_last([](const Evaluation& e) { return e.test.mean_loss(); })},
          {"test_error", of_last([](const Evaluation& e) { return e.test.error(); })},
          {"best_test_error", evaluations.empty() ? Json() : Json(best->test.error())},
          {"time_to_error", time_to_error(evaluations)},
          {"exchanges", exchanges},
          {"refused_letters", refused},
          {"exchange_wait_fraction", all > 0 ? exchange / all : 0},
          {"data_wait_fraction", all > 0 ? data / all : 0},
          {"status", status}};
}

}  // namespace easgd
