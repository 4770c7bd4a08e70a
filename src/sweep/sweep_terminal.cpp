#include "sweep/sweep_terminal.h"

#include "sweep/sweep_view.h"

namespace easgd {

void SweepTerminal::line(const std::string& text) {
  if (loudness_ == Loudness::all) write_line(text);
}

void SweepTerminal::show(const SweepState& state) {
  if (loudness_ != Loudness::all) return;
  if (is_terminal()) {
    const TerminalSize size = terminal_size();
    return show_bottom_lines(
        sweep_view(state, {.columns = size.columns - 1, .lines = room_for_bottom_lines(size)}));
  }
  if (Clock::now() < next_) return;
  next_ = Clock::now() + kBetweenLines;
  write_line(sweep_line(state, 100));
}

}  // namespace easgd
