// How long runs are going to take, from those that there are.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "runs/summary.h"
#include "settings/config.h"

namespace easgd {

class Estimate {
 public:
  /// A run of that configuration took so long: what is known of all that compute the same network
  /// on the same data with the same workers.
  void learn(const Config& config, const RunSummary& summary);

  /// Training time in seconds; nothing if no run like it is known, or nothing says when it ends.
  std::optional<double> seconds_of(const Config& config) const;
  /// Some run that computes the same is known.
  bool knows(const Config& config) const;

 private:
  struct Speed {
    double seconds = 0, images = 0, train_size = 0;
  };

  std::map<std::string, Speed> speeds_;
};

}  // namespace easgd
