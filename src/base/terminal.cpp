#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "base/columns.h"
#include "base/one_line.h"

namespace easgd {
namespace {

// To the end of the screen. Not from its very first column: where the cursor is in the first row,
// tmux would take that for a wish to keep what was there in its history.
constexpr const char* kErase = "\r \033[J\r";
// No terminal wraps lines in between, though it has become narrower in this moment.
constexpr const char *kNoWrap = "\033[?7l", *kWrap = "\033[?7h";

std::mutex mutex;  // of what is on the terminal

std::vector<std::string>& shown() {
  static std::vector<std::string> lines;
  return lines;
}

void put(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

/// From where the cursor is, to which it goes back.
std::string drawn(const std::vector<std::string>& lines) {
  const TerminalSize size = terminal_size();
  const std::size_t count = std::min(lines.size(), std::max<std::size_t>(size.rows, 2) - 1);
  if (count == 0) return {};
  std::string text = kNoWrap;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += '\n';
    text += cut_to_columns(lines[i], size.columns - 1);  // the last column may begin a new line
  }
  text += kWrap;
  if (count > 1) text += "\033[" + std::to_string(count - 1) + "A";
  return text + "\r";
}

}  // namespace

bool is_terminal() {
  static const bool kIs = [] {
    const char* term = std::getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && std::string_view(term) != "dumb";
  }();
  return kIs;
}

TerminalSize terminal_size() {
  winsize size{};
  TerminalSize result;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return result;
  if (size.ws_col > 0) result.columns = size.ws_col;
  if (size.ws_row > 0) result.rows = size.ws_row;
  return result;
}

std::size_t room_for_bottom_lines(TerminalSize size) {
  constexpr std::size_t kAbove = 3, kSmall = 7;
  if (size.rows <= kAbove + 1) return 1;
  return std::max(std::min(size.rows - kAbove, kSmall), size.rows / 2);
}

void write_line(const std::string& text) {
  const std::string line = in_one_line(text) + "\n";
  const std::lock_guard lock(mutex);
  put(shown().empty() ? line : kErase + line + drawn(shown()));
}

void show_bottom_lines(std::vector<std::string> lines) {
  const std::lock_guard lock(mutex);
  if (lines.empty() && shown().empty()) return;
  shown() = std::move(lines);
  put(kErase + drawn(shown()));
}

void give_up_bottom_lines() {
  const std::unique_lock lock(mutex, std::try_to_lock);
  if (lock && !shown().empty()) put(kErase);
}

}  // namespace easgd
