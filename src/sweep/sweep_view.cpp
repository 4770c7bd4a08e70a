#include "sweep/sweep_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/columns.h"
#include "runs/progress.h"

namespace easgd {
namespace {

constexpr std::size_t kNarrowestBar = 12, kWidestBar = 26;
constexpr std::size_t kMostLines = 9;  // so that few are wrapped if the terminal becomes narrow

/// Runs that are at work count by what is over of them.
double fraction_of(const SweepState& state) {
  double over = double(state.done + state.failed + state.stopped);
  for (const RunningRun& run : state.running) over += run.glance.fraction;
  return state.total > 0 ? over / double(state.total) : 0;
}

/// Best first: what a narrow terminal has no room for comes last.
std::vector<std::string> parts_of(const SweepState& state) {
  std::vector<std::string> parts{fmt::format("{} of {} done", state.done, state.total)};
  if (state.failed > 0) parts.push_back(fmt::format("{} failed", state.failed));
  if (state.stopped > 0) parts.push_back(fmt::format("{} stopped early", state.stopped));
  parts.push_back(clock_text(state.seconds));
  if (state.seconds_left) parts.push_back(clock_text(*state.seconds_left) + " left");
  parts.push_back(fmt::format("{} at work", state.running.size()));
  return parts;
}

/// `label` behind `text`. Its end tells it from others, if there is no room for all of it.
std::string labelled(std::string text, const std::string& label, std::size_t columns) {
  constexpr std::size_t kDots = 2;
  const std::size_t room = columns - std::min(columns, text.size());
  if (label.size() <= room) return text + label;
  if (room <= kDots) return text;
  return text + std::string(kDots, '.') + label.substr(label.size() - (room - kDots));
}

std::string best_text(const BestOf& best, std::size_t columns) {
  const std::string runs = best.runs > 1 ? fmt::format(" ({} runs)", best.runs) : "";
  return labelled(fmt::format("{:6.2f} %  ", 100 * best.best_test_error), best.label + runs,
                  columns);
}

std::string running_text(const RunningRun& run, std::size_t columns) {
  std::string text;
  if (columns >= 4 * kNarrowestBar) text = bar_text(run.glance.fraction, kNarrowestBar) + " ";
  text += fmt::format("{:>5}  ", share_text(run.glance.fraction));
  text += run.glance.test_error ? fmt::format("{:6.2f} %  ", 100 * *run.glance.test_error)
                                : fmt::format("{:>8}  ", "-");
  return labelled(text, run.label, columns);
}

/// Shares `room` between two lists, so that neither takes what the other has no use for.
std::size_t first_of(std::size_t room, std::size_t first, std::size_t second) {
  return std::min(first, std::max(room - std::min(room, second), (room + 1) / 2));
}

}  // namespace

std::string sweep_line(const SweepState& state, std::size_t room) {
  std::string text;
  for (const std::string& part : parts_of(state)) {
    const std::string more = text.empty() ? part : " | " + part;
    if (text.size() + more.size() > room) break;
    text += more;
  }
  const std::size_t left = room - std::min(room, text.size() + 1);
  if (left < kNarrowestBar) return cut_to_columns(text, room);
  return bar_text(fraction_of(state), std::min(left, kWidestBar)) + " " + text;
}

std::vector<std::string> sweep_view(const SweepState& state, ViewSize size) {
  size.lines = std::min(size.lines, kMostLines);
  std::vector<std::string> lines{sweep_line(state, size.columns)};
  const bool has_best = size.lines > 3 && !state.best.empty();
  const std::size_t room = size.lines - std::min<std::size_t>(size.lines, has_best ? 2 : 1);
  const std::size_t runs = first_of(room, state.running.size(), has_best ? state.best.size() : 0);
  for (std::size_t i = 0; i < runs; ++i) {
    const bool is_last = i + 1 == runs && runs < state.running.size();
    lines.push_back(is_last ? fmt::format("and {} more at work", state.running.size() - i)
                            : running_text(state.running[i], size.columns));
  }
  if (has_best) {
    lines.emplace_back("best so far:");
    for (std::size_t i = 0; i < std::min(room - runs, state.best.size()); ++i) {
      lines.push_back(best_text(state.best[i], size.columns));
    }
  }
  for (std::string& line : lines) line = cut_to_columns(line, size.columns);
  return lines;
}

}  // namespace easgd
