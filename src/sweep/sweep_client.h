// Whoever has a sweep made: what it sees of it, and how it ends it early.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "runs/manifest.h"
#include "sweep/metrics_tail.h"

namespace easgd {

struct SweepRun;

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
  std::size_t total = 0, done = 0, failed = 0, stopped = 0;
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
  /// No other sweep is at work in the folder.
  virtual void begin() {}
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

  /// Runs to be made beside those of the plan; they have to outlive the sweep.
  virtual std::vector<const SweepRun*> asked_runs() { return {}; }
  /// Others may be asked for: the sweep goes on when it has nothing to do.
  virtual bool may_ask() { return false; }
  /// Can be read when something is asked for; -1: nothing ever is.
  virtual int descriptor() const { return -1; }
  /// This run, which is at work, is to end now, saved.
  virtual bool gives_up(const std::string& /*identity*/) { return false; }
  /// A run begins, also one that is tried once more.
  virtual void run_began(const std::string& /*identity*/) {}
  /// It is done, has failed for good, or was given up.
  virtual void run_ended(const StateEvent& /*state*/) {}
};

}  // namespace easgd
