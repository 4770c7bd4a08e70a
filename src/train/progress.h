// Tells a person how a run is going: a bar on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <string>

namespace easgd {

struct ProgressState {
  double fraction = 0;  ///< of the run, 0..1; 0 where its length is not known
  double seconds = 0;   ///< training time
  double epoch = 0;
  double images_per_second = 0;
};

/// Writes to standard error. Thread: main, but for `line`.
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
