// summary.json: the run in one object. docs/run_folder.md has the meaning of every key.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "config/choice.h"
#include "runs/environment.h"

namespace easgd {

enum class RunStatus { done, interrupted, paused, diverged, failed };

template <>
struct config::Names<RunStatus> {
  static constexpr Name<RunStatus> all[] = {{"done", RunStatus::done},
                                            {"interrupted", RunStatus::interrupted},
                                            {"paused", RunStatus::paused},
                                            {"diverged", RunStatus::diverged},
                                            {"failed", RunStatus::failed}};
};

struct RunSummary {
  /// What was never evaluated; it is null in the file.
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  std::string name, algorithm, exchange;
  std::string identity = {};  ///< of the configuration as given (settings/identity.h); of earlier
                              ///< versions empty
  std::string backend;        ///< of the first worker
  std::vector<std::string> devices;
  std::uint64_t workers = 0, failed_workers = 0;
  std::int64_t tau = 0;
  double alpha = 0, rho = 0, beta = 0;
  std::int64_t seed = 0;
  std::vector<std::uint64_t> steps = {};  ///< of each worker
  double epochs = 0;
  double wall_seconds = 0;
  std::optional<double> virtual_seconds;
  double images_per_second = 0;
  std::optional<std::uint64_t> version;  ///< of the last evaluation, as are the next four
  double train_loss = kNone, test_loss = kNone, test_error = kNone;
  std::optional<double> test_top5_error = {};  ///< of more than ten classes
  double best_test_error = kNone;
  std::map<std::string, double> time_to_error;  ///< "0.25" -> seconds
  std::uint64_t exchanges = 0, refused_letters = 0;
  std::uint64_t restarts = 0;    ///< of workers that had failed
  std::uint64_t bad_images = 0;  ///< that could not be decoded
  double exchange_wait_fraction = 0, data_wait_fraction = 0;
  RunStatus status = RunStatus::done;
  std::optional<std::string> paused_at = {};    ///< "epochs=3"; of a run that is paused
  std::optional<Environment> environment = {};  ///< of earlier versions nothing

  template <class Keys>
  void keys(Keys& k) {
    k("name", name);
    k("identity", identity);
    k("algorithm", algorithm);
    k("exchange", exchange);
    k("backend", backend);
    k("devices", devices);
    k("workers", workers);
    k("failed_workers", failed_workers);
    k("tau", tau);
    k("alpha", alpha);
    k("rho", rho);
    k("beta", beta);
    k("seed", seed);
    k("steps", steps);
    k("epochs", epochs);
    k("wall_seconds", wall_seconds);
    k("virtual_seconds", virtual_seconds);
    k("images_per_second", images_per_second);
    k("version", version);
    k("train_loss", train_loss);
    k("test_loss", test_loss);
    k("test_error", test_error);
    k.if_given("test_top5_error", test_top5_error);
    k("best_test_error", best_test_error);
    k("time_to_error", time_to_error);
    k("exchanges", exchanges);
    k("refused_letters", refused_letters);
    k("restarts", restarts);
    k("bad_images", bad_images);
    k("exchange_wait_fraction", exchange_wait_fraction);
    k("data_wait_fraction", data_wait_fraction);
    k("status", status);
    k("paused_at", paused_at);
    k("environment", environment);
  }
};

nlohmann::json to_json(RunSummary summary);
/// The whole of summary.json.
std::string text_of(const RunSummary& summary);

/// Throws: DataError if a key is not of its kind.
RunSummary summary_of(const nlohmann::json& object);

/// The summary in one line, for people.
std::string conclusion(const RunSummary& summary);

}  // namespace easgd
