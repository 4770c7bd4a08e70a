// How long runs are going to take, from those that there are.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "runs/summary.h"
#include "settings/config.h"
#include "sweep/plan.h"

namespace easgd {

/// The settings on which the speed of a run depends, as text.
std::string speed_class_of(const Config& config);

class Estimate {
 public:
  /// The run took so long: what is known of all that compute the same network on the same data with
  /// the same workers.
  void learn(const SweepRun& run, const RunSummary& summary);

  /// Training time in seconds; nothing if no run like it is known, or nothing says when it ends.
  std::optional<double> seconds_of(const SweepRun& run) const;
  /// Some run that computes the same is known.
  bool knows(const SweepRun& run) const { return speeds_.contains(run.speed_class); }

 private:
  struct Speed {
    double seconds = 0, images = 0, train_size = 0;
  };

  std::map<std::string, Speed> speeds_;
};

}  // namespace easgd
