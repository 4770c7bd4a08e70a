#include "report/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "report/statistics.h"

namespace easgd::report {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kEnoughForQuartiles = 8;

/// Indices of at most `points` of `count`, the ends among them.
std::vector<std::size_t> thinned(std::size_t count, std::size_t points) {
  std::vector<std::size_t> kept;
  const std::size_t left = std::min(count, std::max<std::size_t>(points, 2));
  for (std::size_t i = 0; i < left; ++i) {
    kept.push_back(left == 1 ? 0 : (i * (count - 1) + (left - 1) / 2) / (left - 1));
  }
  return kept;
}

/// Points of a curve where both are known, x growing.
struct Line {
  std::vector<double> x, y;

  double at(double where) const {
    const std::size_t above = std::size_t(std::ranges::lower_bound(x, where) - x.begin());
    if (above >= x.size()) return y.back();
    if (above == 0 || x[above] == where) return y[above];
    const double share = (where - x[above - 1]) / (x[above] - x[above - 1]);
    return y[above - 1] + share * (y[above] - y[above - 1]);
  }
};

Line line_of(const Curve& curve, Column x, Column y) {
  Line line;
  for (std::size_t i = 0; i < curve[x].size(); ++i) {
    const bool known = std::isfinite(curve[x][i]) && std::isfinite(curve[y][i]);
    if (!known || (!line.x.empty() && curve[x][i] <= line.x.back())) continue;
    line.x.push_back(curve[x][i]);
    line.y.push_back(curve[y][i]);
  }
  return line;
}

double mean_over(const std::vector<WorkerProgress>& workers, auto figure) {
  double sum = 0;
  std::size_t count = 0;
  for (const WorkerProgress& worker : workers) {
    if (worker.exchanges == 0) continue;  // it has met no center yet
    sum += figure(worker);
    ++count;
  }
  return count == 0 ? kNone : sum / double(count);
}

}  // namespace

Curve curve_of(const ReportedRun& run, std::size_t points) {
  Curve curve;
  for (const std::size_t i : thinned(run.evaluations.size(), points)) {
    const EvaluationEvent& e = run.evaluations[i];
    const double all[kColumns] = {e.time,       e.epoch,     double(e.version),
                                  e.test_error, e.test_loss, e.train_loss};
    for (std::size_t c = 0; c < kColumns; ++c) curve[c].push_back(all[c]);
  }
  return curve;
}

Band band_of(const std::vector<const Curve*>& curves, Column x, Column y, std::size_t points) {
  std::vector<Line> lines;
  double first = -std::numeric_limits<double>::infinity(), last = -first;
  for (const Curve* curve : curves) {
    Line line = line_of(*curve, x, y);
    if (line.x.empty()) continue;
    first = std::max(first, line.x.front());
    last = std::min(last, line.x.back());
    lines.push_back(std::move(line));
  }
  Band band;
  if (lines.size() < 2 || !(first < last)) return band;
  for (std::size_t i = 0; i < points; ++i) {
    const double where = first + (last - first) * double(i) / double(points - 1);
    std::vector<double> values;
    for (const Line& line : lines) values.push_back(line.at(where));
    const Spread spread = spread_of(values);
    const bool quartiles = values.size() >= kEnoughForQuartiles;
    band.x.push_back(where);
    band.mean.push_back(spread.mean);
    band.low.push_back(quartiles ? spread.lower : spread.smallest);
    band.high.push_back(quartiles ? spread.upper : spread.largest);
  }
  return band;
}

Telemetry telemetry_of(const ReportedRun& run, std::size_t points) {
  Telemetry t;
  for (const std::size_t i : thinned(run.progress.size(), points)) {
    const ProgressEvent& e = run.progress[i];
    t.seconds.push_back(e.seconds);
    t.distance.push_back(mean_over(e.workers, [](const auto& w) { return w.distance; }));
    t.staleness.push_back(mean_over(e.workers, [](const auto& w) { return double(w.staleness); }));
    t.rate.push_back(e.images_per_second);
  }
  return t;
}

}  // namespace easgd::report
