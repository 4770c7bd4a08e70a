#include "runs/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>

#include "runs/progress.h"

namespace easgd {
namespace {

struct Column {
  const char* title;
  std::size_t narrowest;  ///< so that it does not jump while its numbers grow
  int rank;               ///< who stays when there is little room: the lowest
  std::string (*cell)(const WorkerState&);
};

/// Of the time that the worker has had.
std::string share_of(double seconds, const WorkerProgress& w) {
  const double whole = w.data_seconds + w.gradient_seconds + w.exchange_seconds;
  return whole > 0 ? share_text(seconds / whole) : "-";
}

/// What is only known of an exchange.
std::string if_exchanged(const WorkerProgress& w, const std::string& text) {
  return w.exchanges > 0 ? text : "-";
}

constexpr Column kColumns[] = {
    {"worker", 6, 0, [](const WorkerState& w) { return fmt::to_string(w.counts.worker); }},
    {"steps", 6, 1, [](const WorkerState& w) { return fmt::to_string(w.counts.steps); }},
    {"loss", 6, 2,
     [](const WorkerState& w) {
       const double loss = w.counts.train_loss;
       return std::isnan(loss) ? "-" : loss_text(loss);
     }},
    {"wait", 5, 3,
     [](const WorkerState& w) { return share_of(w.counts.exchange_seconds, w.counts); }},
    {"data", 5, 7, [](const WorkerState& w) { return share_of(w.counts.data_seconds, w.counts); }},
    {"staleness", 9, 5,
     [](const WorkerState& w) {
       return if_exchanged(w.counts, fmt::to_string(w.counts.staleness));
     }},
    {"distance", 8, 6,
     [](const WorkerState& w) {
       return if_exchanged(w.counts, fmt::format("{:.4g}", w.counts.distance));
     }},
    {"phase", 9, 4, [](const WorkerState& w) { return std::string(to_string(w.phase)); }},
};

/// Rows of cells, the first of them titles, of the best columns that fit.
class Table {
 public:
  Table(std::span<const WorkerState> workers, std::size_t room)
      : workers_(workers), gap_(room < kWide ? 1 : 2) {
    std::vector<const Column*> by_rank;
    for (const Column& column : kColumns) by_rank.push_back(&column);
    std::ranges::sort(by_rank, {}, &Column::rank);
    std::size_t taken = 0;
    for (const Column* column : by_rank) {
      const std::size_t width = width_of(*column) + (taken > 0 ? gap_ : 0);
      if (taken + width > room) break;
      taken += width;
      chosen_.push_back(column);
    }
    std::ranges::sort(chosen_);  // as they stand in kColumns
  }

  std::string titles() const {
    return row([](const Column& column) { return std::string(column.title); });
  }
  std::string row_of(const WorkerState& worker) const {
    return row([&worker](const Column& column) { return column.cell(worker); });
  }

 private:
  static constexpr std::size_t kWide = 60;

  std::size_t width_of(const Column& column) const {
    std::size_t width = std::max(column.narrowest, std::string_view(column.title).size());
    for (const WorkerState& worker : workers_) width = std::max(width, column.cell(worker).size());
    return width;
  }

  template <class Cell>
  std::string row(const Cell& cell) const {
    std::string text;
    for (const Column* column : chosen_) {
      if (!text.empty()) text.append(gap_, ' ');
      const bool is_word = column == &kColumns[std::size(kColumns) - 1];
      text += is_word ? cell(*column) : fmt::format("{:>{}}", cell(*column), width_of(*column));
    }
    return text;
  }

  std::span<const WorkerState> workers_;
  std::size_t gap_;
  std::vector<const Column*> chosen_;
};

/// Those after the first `seen`.
std::string others_line(std::span<const WorkerState> workers, std::size_t seen) {
  const auto others = workers.subspan(seen);
  const auto [least, most] = std::ranges::minmax(
      others, {}, [](const WorkerState& worker) { return worker.counts.steps; });
  const std::uint64_t low = least.counts.steps, high = most.counts.steps;
  return fmt::format("{}{} {}: {} steps", seen > 0 ? "and " : "", others.size(),
                     seen > 0 ? "more" : "workers",
                     low == high ? fmt::to_string(low) : fmt::format("{} to {}", low, high));
}

/// Best first, as much as there is room for.
std::string center_line(const ProgressState& state, std::size_t room) {
  std::vector<std::string> parts;
  if (const std::optional<CenterState>& center = state.center) {
    parts.push_back(fmt::format("error {:.2f} %", 100 * center->test_error));
    parts.push_back(fmt::format("best {:.2f} %", 100 * center->best_test_error));
    parts.push_back("test loss " + loss_text(center->test_loss));
    if (center->train_loss) parts.push_back("train loss " + loss_text(*center->train_loss));
  } else {
    parts.push_back("not tested yet");
  }
  parts.insert(parts.begin() + std::ptrdiff_t(std::min<std::size_t>(parts.size(), 2)),
               fmt::format("version {}", state.version));
  std::string text = "center: " + parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (text.size() + 3 + parts[i].size() <= room) text += " | " + parts[i];
  }
  return text;
}

}  // namespace

std::vector<std::string> live_view(const ProgressState& state, ViewSize size) {
  std::vector<std::string> lines{progress_line(state, size.columns)};
  if (size.lines > 1) lines.push_back(center_line(state, size.columns));
  if (size.lines > 3 && !state.workers.empty()) {
    const std::size_t rows = size.lines - 3, all = state.workers.size();
    const std::size_t seen = all <= rows ? all : rows - 1;
    const std::span<const WorkerState> workers(state.workers.data(), seen);
    const Table table(workers, size.columns);
    if (seen > 0) lines.push_back(table.titles());
    for (const WorkerState& worker : workers) lines.push_back(table.row_of(worker));
    if (seen < all) lines.push_back(others_line(state.workers, seen));
  }
  for (std::string& line : lines) line.resize(std::min(line.size(), size.columns));
  return lines;
}

}  // namespace easgd
