#include "train/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace easgd {
namespace {

constexpr int kBarWidth = 24;
constexpr const char* kEraseLine = "\r\033[K";
constexpr double kLongestTold = 1e7;  // seconds

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

std::string text_of(const ProgressState& state) {
  std::string text = fmt::format("{} | epoch {:.2f}", clock_text(state.seconds), state.epoch);
  if (state.images_per_second > 0)
    text += fmt::format(" | {:.0f} images/s", state.images_per_second);
  if (state.fraction > 0) {
    const double left = state.seconds * (1 - state.fraction) / state.fraction;
    if (left < kLongestTold) text += fmt::format(" | {} left", clock_text(left));
  }
  return text;
}

std::string bar_of(double fraction) {
  const int filled = int(fraction * kBarWidth + 0.5);
  return fmt::format("[{}{}] {:3.0f} % ", std::string(std::size_t(filled), '#'),
                     std::string(std::size_t(kBarWidth - filled), '.'), 100 * fraction);
}

}  // namespace

Progress::Progress() : terminal_(isatty(STDERR_FILENO)), next_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (terminal_) put(kEraseLine);
}

void Progress::show(const ProgressState& state) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(terminal_ ? 500 : 10000);
  if (terminal_) {
    put(kEraseLine + bar_of(state.fraction) + text_of(state));
  } else {
    put(fmt::format("{:3.0f} % | {}\n", 100 * state.fraction, text_of(state)));
  }
}

void Progress::line(const std::string& text) {
  put((isatty(STDERR_FILENO) ? kEraseLine : "") + text + "\n");
}

}  // namespace easgd
