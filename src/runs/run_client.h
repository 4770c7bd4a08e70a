// Whoever has a run made: what it sees of the run, and how it ends the run early.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exchange/telemetry.h"
#include "runs/events.h"

namespace easgd {

/// A worker at the moment.
struct WorkerState {
  WorkerProgress counts;
  Phase phase = Phase::preparing;
};

/// The center when it was evaluated last.
struct CenterState {
  std::optional<double> train_loss = {};  ///< none if no letter was absorbed since
  double test_loss = 0, test_error = 0;
  double best_test_error = 0;  ///< so far
};

struct ProgressState {
  std::optional<double> fraction = {};  ///< of the run that is over, 0..1; if its length is known
  double seconds = 0;                   ///< training time
  double epoch = 0;
  double images_per_second = 0;
  std::uint64_t version = 0;               ///< of the center
  std::optional<CenterState> center = {};  ///< if it was evaluated
  std::vector<WorkerState> workers = {};
};

/// This one is silent and lets every run end by itself.
/// Thread: main, except line(), warn() and wants_end().
class RunClient {
 public:
  virtual ~RunClient() = default;
  /// What the run has to say, in a line. From any thread.
  virtual void line(const std::string& /*text*/) {}
  /// What people should know though the run goes on. From any thread.
  virtual void warn(const std::string& message) { line("warning: " + message); }
  /// The run is set up, and is going to make its folder: from now on it ends by wants_end().
  virtual void begin() {}
  /// Called often while the workers train.
  virtual void show(const ProgressState& /*state*/) {}
  /// The workers have ended.
  virtual void end() {}
  /// The run is to end early, with everything kept. Looked at often, from any thread.
  virtual bool wants_end() { return false; }
  /// The run has heard that, once.
  virtual void heard_end() {}
};

}  // namespace easgd
