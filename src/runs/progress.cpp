#include "runs/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/one_line.h"

namespace easgd {
namespace {

constexpr int kWidestBar = 24, kNarrowestBar = 8;
constexpr const char* kEraseLine = "\r\033[K";
constexpr double kLongestShown = 1e7;  // seconds

/// The width of the terminal that standard error is; 80 if it does not say.
std::size_t columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Standard error is a terminal on which a line can be written over. Found out once.
bool is_terminal() {
  static const bool kIs = [] {
    const char* term = std::getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && std::string_view(term) != "dumb";
  }();
  return kIs;
}

/// A reader that has gone, or a disk that is full, must not end the run: errors are not looked at.
void put(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

std::string clock_text(double seconds) {
  const auto s = std::int64_t(seconds + 0.5);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

/// Best first: what a narrow terminal has no room for comes last.
std::vector<std::string> parts_of(const ProgressState& state) {
  std::vector<std::string> parts{clock_text(state.seconds),
                                 fmt::format("epoch {:.2f}", state.epoch)};
  if (state.images_per_second > 0)
    parts.push_back(fmt::format("{:.0f} images/s", state.images_per_second));
  if (const double fraction = state.fraction.value_or(0); fraction > 0) {
    const double left = state.seconds * (1 - fraction) / fraction;
    if (left < kLongestShown) parts.push_back(clock_text(left) + " left");
  }
  return parts;
}

std::string bar_of(double fraction, int width) {
  const int filled = int(fraction * width + 0.5);
  return fmt::format("[{}{}] ", std::string(std::size_t(filled), '#'),
                     std::string(std::size_t(width - filled), '.'));
}

std::string text_of(const ProgressState& state, std::size_t room) {
  std::string text = fmt::format("{:3.0f} %", 100 * state.fraction.value_or(0));
  for (const std::string& part : parts_of(state)) {
    if (text.size() + 3 + part.size() > room) break;
    text += " | " + part;
  }
  return text;
}

}  // namespace

std::string progress_line(const ProgressState& state, std::size_t room) {
  std::string text = text_of(state, room);
  const int left = int(std::min<std::size_t>(room, 1000)) - int(text.size()) - 3;  // "[] "
  if (left >= kNarrowestBar)
    text = bar_of(state.fraction.value_or(0), std::min(left, kWidestBar)) + text;
  return text.substr(0, room);
}

Progress::Progress() : terminal_(is_terminal()), next_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (terminal_) put(kEraseLine);
}

void Progress::show(const ProgressState& state) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(terminal_ ? 500 : 10000);
  if (terminal_) {
    put(kEraseLine + progress_line(state, columns() - 1));  // the last column may begin a new line
  } else {
    put(text_of(state, std::string::npos) + "\n");
  }
}

void Progress::line(const std::string& text) {
  put((is_terminal() ? kEraseLine : "") + in_one_line(text) + "\n");
}

}  // namespace easgd
