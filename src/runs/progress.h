// Shows a person how a run is going: a bar on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <string>

#include "runs/run_client.h"

namespace easgd {

/// The state in one line of at most `room` columns: as much of a bar, the share that is done, times
/// and rate as there is room for.
std::string progress_line(const ProgressState& state, std::size_t room);

/// Writes to standard error. A terminal that cannot go back in a line (TERM=dumb) is none.
/// Thread: main, except line().
class Progress {
 public:
  Progress();
  /// Ends the bar's line.
  ~Progress();

  /// To be called often: shows the state, twice a second on a terminal, every ten seconds
  /// elsewhere.
  void show(const ProgressState& state);
  /// A line of its own above the bar. From any thread.
  static void line(const std::string& text);

 private:
  bool terminal_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace easgd
