#include "runs/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace easgd {
namespace {

constexpr std::size_t kWidestBar = 26, kNarrowestBar = 10;
constexpr double kLongestShown = 1e7;  // seconds

/// Best first: what a narrow terminal has no room for comes last.
std::vector<std::string> parts_of(const ProgressState& state) {
  std::vector<std::string> parts;
  if (state.fraction) parts.push_back(fmt::format("{:>5}", share_text(*state.fraction)));
  parts.push_back(clock_text(state.seconds));
  parts.push_back(fmt::format("epoch {:.2f}", state.epoch));
  if (state.images_per_second > 0)
    parts.push_back(fmt::format("{:.0f} images/s", state.images_per_second));
  if (const double fraction = state.fraction.value_or(0); fraction > 0) {
    const double left = state.seconds * (1 - fraction) / fraction;
    if (left < kLongestShown) parts.push_back(clock_text(left) + " left");
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts, std::size_t room) {
  std::string text = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (text.size() + 3 + parts[i].size() > room) break;
    text += " | " + parts[i];
  }
  return text.substr(0, room);
}

}  // namespace

std::string clock_text(double seconds) {
  const auto s = std::int64_t(seconds + 0.5);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string share_text(double share) {
  return fmt::format("{:.0f} %", 100 * share);
}

std::string loss_text(double loss) {
  if (!std::isfinite(loss)) return std::isnan(loss) ? "nan" : "inf";
  return loss < 1e4 ? fmt::format("{:.4f}", loss) : fmt::format("{:.1e}", loss);
}

std::string bar_text(double fraction, std::size_t columns) {
  const std::size_t width = std::max<std::size_t>(columns, 2) - 2;
  const std::size_t filled = std::min(width, std::size_t(fraction * double(width) + 0.5));
  return fmt::format("[{}{}]", std::string(filled, '#'), std::string(width - filled, '.'));
}

std::string progress_line(const ProgressState& state, std::size_t room) {
  std::string text = joined(parts_of(state), room);
  const std::size_t left = room - text.size();
  if (!state.fraction || left < kNarrowestBar + 1) return text;
  return bar_text(*state.fraction, std::min(left - 1, kWidestBar)) + " " + text;
}

std::string progress_text(const ProgressState& state) {
  return joined(parts_of(state), std::string::npos);
}

}  // namespace easgd
