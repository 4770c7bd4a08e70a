#pragma once

#include <chrono>
#include <string>

#include "base/terminal.h"
#include "runs/run_client.h"

namespace easgd {

enum class Loudness { all, warnings };

/// Shows a run on standard error: a view at the bottom of a terminal, lines elsewhere.
class TerminalClient : public RunClient {
 public:
  explicit TerminalClient(Loudness loudness) : loudness_(loudness) {}
  /// Leaves nothing of the view on the screen, however the run has ended.
  ~TerminalClient() override { show_bottom_lines({}); }

  void line(const std::string& text) override;
  void warn(const std::string& message) override;
  /// Twice a second on a terminal, at once if that has another size; every ten seconds elsewhere.
  void show(const ProgressState& state) override;
  void end() override { show_bottom_lines({}); }

 private:
  using Clock = std::chrono::steady_clock;

  const Loudness loudness_;
  Clock::time_point next_ = Clock::now();
  TerminalSize size_;  // when it was shown
};

}  // namespace easgd
