#include "sweep/estimate.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>

#include "settings/identity.h"

namespace easgd {

std::string speed_class_of(const Config& config) {
  std::string name;
  for (const auto& [key, value] : flat_settings(config)) {
    for (const char* table : {"data.", "network.", "workers.", "evaluate."}) {
      if (key.starts_with(table)) name += key + "=" + value + "\n";
    }
  }
  return name;
}

void Estimate::learn(const SweepRun& run, const RunSummary& summary) {
  const double steps = std::accumulate(summary.steps.begin(), summary.steps.end(), 0.0);
  if (!(steps > 0) || !(summary.epochs > 0) || !(summary.wall_seconds > 0)) return;
  Speed& speed = speeds_[run.speed_class];
  const double images = steps * double(run.config.workers.batch);
  speed.seconds += summary.wall_seconds;
  speed.images += images;
  speed.train_size = images / summary.epochs;
}

std::optional<double> Estimate::seconds_of(const SweepRun& run) const {
  const Config& config = run.config;
  const StopConfig& stop = config.stop;
  std::optional<double> least = stop.seconds;
  const auto limit = [&least](double seconds) {
    least = std::min(least.value_or(seconds), seconds);
  };
  const auto known = speeds_.find(run.speed_class);
  if (known != speeds_.end()) {
    const Speed& speed = known->second;
    const double seconds_per_image = speed.seconds / speed.images;
    if (stop.epochs) limit(*stop.epochs * speed.train_size * seconds_per_image);
    if (stop.steps) {
      const double images = double(*stop.steps) * double(config.workers.batch) *
                            double(config.workers.devices.size());
      limit(images * seconds_per_image);
    }
  }
  return least;
}

}  // namespace easgd
