// Whoever has a sweep made: what it sees of it, and how it ends it early.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sweep/metrics_tail.h"

namespace easgd {

struct RunningRun {
  std::string label;  ///< its values: "easgd tau=4 seed=1"
  RunGlance glance;
  double seconds = 0;  ///< since it began
};

/// The best of the runs that differ in nothing but the seed.
struct BestOf {
  std::string label;
  std::size_t runs = 0;
  double best_test_error = 1;  ///< mean over the runs
};

struct SweepState {
  std::string name;
  std::size_t total = 0, waiting = 0, done = 0, failed = 0;
  std::vector<RunningRun> running;
  std::vector<BestOf> best;  ///< the best first
  double seconds = 0;        ///< since the sweep was started
  std::optional<double> seconds_left;
};

/// This one is silent and lets every sweep end by itself.
/// Thread: main.
class SweepClient {
 public:
  virtual ~SweepClient() = default;
  /// What the sweep has to say, in a line.
  virtual void line(const std::string& /*text*/) {}
  /// Called some times a second while runs are at work.
  virtual void show(const SweepState& /*state*/) {}
  /// No run is at work any more.
  virtual void end() {}
  /// The runs that are at work are to end, saved, and no other is to begin.
  virtual bool wants_end() { return false; }
  /// The sweep has heard that, once.
  virtual void heard_end() {}
};

}  // namespace easgd
