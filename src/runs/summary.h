// summary.json: the run in one object, and the telemetry of workers in metrics.jsonl.
#pragma once

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/evaluator.h"
#include "exchange/team.h"
#include "settings/config.h"
#include "settings/worker_schedule.h"

namespace easgd {

/// One object a worker: steps, seconds in data / gradient / exchange, staleness, distance.
nlohmann::json telemetry_json(const Team& team);

/// Collects the evaluations of a run.
/// Thread: any; a summary may be written while an evaluation goes on.
class Summary {
 public:
  void add(const Evaluation& evaluation);
  bool evaluated() const { return !evaluations().empty(); }
  /// The last center's test loss is not finite.
  bool diverged() const;

  /// The object of the contract. `seconds` is the training time, `images` how many were trained on,
  /// `epochs` how often they are the training set. What was never evaluated is null.
  nlohmann::json json(const Config& config, const ElasticRates& rates, const Team& team,
                      const std::string& status, double seconds, double images,
                      double epochs) const;

 private:
  std::vector<Evaluation> evaluations() const;

  mutable std::mutex mutex_;
  std::vector<Evaluation> evaluations_;
};

}  // namespace easgd
