// Standard error as a terminal: lines that stay at its bottom and are redrawn in place, while other
// lines scroll above them.
//
// While bottom lines are shown, the cursor rests where the first of them begins. So all of them are
// erased from there to the end of the screen, also after a resize that has wrapped them: a terminal
// that wraps lines anew takes the cursor along. Only if they are then more than the screen has
// rows, some have scrolled away, and stay there: so bottom lines take half of a screen at most,
// unless that is small.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace easgd {

struct TerminalSize {
  std::size_t columns = 80, rows = 24;

  bool operator==(const TerminalSize&) const = default;
};

/// Standard error is a terminal on which lines can be written over: not TERM=dumb. Found out once.
bool is_terminal();

/// Of the terminal that standard error is, at the moment.
TerminalSize terminal_size();

/// How many bottom lines leave room enough for others above.
std::size_t room_for_bottom_lines(TerminalSize size);

/// A line on standard error, above the bottom lines. A reader that has gone, or a disk that is
/// full, is no error.
/// Thread: any.
void write_line(const std::string& text);

/// Shows lines at the bottom instead of those before; none erases them. What is too wide or too
/// many is cut off. To be called again, soon, if the terminal's size has changed.
/// Thread: any.
void show_bottom_lines(std::vector<std::string> lines);

/// Erases them, unless another thread is writing: for the end of the process, which must not wait.
void give_up_bottom_lines();

}  // namespace easgd
