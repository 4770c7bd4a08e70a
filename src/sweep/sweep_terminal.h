#pragma once

#include <chrono>
#include <string>

#include "base/terminal.h"
#include "sweep/sweep_client.h"

namespace easgd {

/// Shows a sweep on standard error: a view at the bottom of a terminal, lines elsewhere.
class SweepTerminal : public SweepClient {
 public:
  ~SweepTerminal() override { show_bottom_lines({}); }

  void line(const std::string& text) override { write_line(text); }
  /// At every call on a terminal, every half minute elsewhere.
  void show(const SweepState& state) override;
  void end() override { show_bottom_lines({}); }

 private:
  using Clock = std::chrono::steady_clock;

  Clock::time_point next_ = Clock::now() + kBetweenLines;
  static constexpr auto kBetweenLines = std::chrono::seconds(30);
};

}  // namespace easgd
