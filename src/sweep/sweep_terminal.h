#pragma once

#include <chrono>
#include <string>

#include "base/terminal.h"
#include "runs/terminal_client.h"
#include "sweep/sweep_client.h"

namespace easgd {

/// Shows a sweep on standard error: a view at the bottom of a terminal, lines elsewhere; nothing of
/// it if only warnings are wanted.
class SweepTerminal : public SweepClient {
 public:
  explicit SweepTerminal(Loudness loudness) : loudness_(loudness) {}
  ~SweepTerminal() override { show_bottom_lines({}); }

  void line(const std::string& text) override;
  /// At every call on a terminal, every half minute elsewhere.
  void show(const SweepState& state) override;
  void end() override { show_bottom_lines({}); }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr auto kBetweenLines = std::chrono::seconds(30);

  const Loudness loudness_;
  Clock::time_point next_ = Clock::now() + kBetweenLines;
};

}  // namespace easgd
