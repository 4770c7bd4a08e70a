#include "sweep/rungs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"

namespace easgd {
namespace {

constexpr std::size_t kMostRungs = 20;

std::optional<double> end_of(const Config& config, PauseUnit unit) {
  if (unit == PauseUnit::epochs) return config.stop.epochs;
  return config.stop.steps ? std::optional<double>(double(*config.stop.steps)) : std::nullopt;
}

[[noreturn]] void fail(const EarlyStop& stop, const std::string& why) {
  throw ConfigError(fmt::format("{}: early_stop: {}", stop.location, why));
}

/// The end that all of them have.
double common_end(const EarlyStop& stop, const std::vector<SweepRun>& runs) {
  const std::string key = "stop." + config::name_of(stop.first.unit);
  std::optional<double> common;
  for (const SweepRun& run : runs) {
    const std::optional<double> end = end_of(run.config, stop.first.unit);
    if (!end) {
      fail(stop, fmt::format("first is of {}: expected that all runs have {}; the run {} has none",
                             config::name_of(stop.first.unit), key, run.identity()));
    }
    if (common && *end != *common) {
      fail(stop,
           fmt::format("expected runs of one length; found {} = {} and {}", key, *common, *end));
    }
    if (run.config.checkpoint.keep == 0) {
      fail(stop, "expected checkpoint.keep above 0: a run that pauses goes on from a checkpoint");
    }
    common = end;
  }
  return common.value_or(0);
}

}  // namespace

std::vector<PausePoint> rungs_of(const EarlyStop& stop, const std::vector<SweepRun>& runs) {
  const double end = common_end(stop, runs);
  const std::string end_text = fmt::format("stop.{} = {}", config::name_of(stop.first.unit), end);
  std::vector<PausePoint> rungs;
  for (PausePoint rung = stop.first; rung.value < end; rung.value *= double(stop.eta)) {
    if (rungs.size() == kMostRungs) {
      fail(stop, fmt::format("expected at most {} rungs below {}; give a larger first, as {:.2g}",
                             kMostRungs, end_text, 2 * end / std::pow(stop.eta, kMostRungs)));
    }
    rungs.push_back(pause_point_of(rung.text()));  // so that 3 x 0.1 is 0.3
  }
  if (rungs.empty()) {
    fail(stop, fmt::format("expected first below the end of the runs, {}; found {}", end_text,
                           stop.first.value));
  }
  return rungs;
}

HalvingForecast forecast(const SweepPlan& plan, std::size_t candidates) {
  const EarlyStop& stop = *plan.early_stop;
  const double end = *end_of(plan.runs.at(0).config, stop.first.unit);
  HalvingForecast result;
  double work = 0, before = 0;
  std::size_t left = candidates;
  for (const PausePoint& rung : plan.rungs) {
    result.candidates.push_back(left);
    work += double(left) * (rung.value - before);
    before = rung.value;
    left = std::max<std::size_t>(1, left / stop.eta);
  }
  result.candidates.push_back(left);
  work += double(left) * (end - before);
  result.work = work / (double(candidates) * end);
  return result;
}

std::string describe_rungs(const SweepPlan& plan, std::size_t candidates) {
  const HalvingForecast expected = forecast(plan, candidates);
  const PauseUnit unit = plan.rungs[0].unit;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < plan.rungs.size(); ++i) {
    parts.push_back(
        fmt::format("{} go on at {:.10g}", expected.candidates[i + 1], plan.rungs[i].value));
  }
  return fmt::format(
      "early stopping: of {} combinations about {} of {:.10g} {}: {:.0f} % of the steps of all",
      candidates, fmt::join(parts, ", "), *end_of(plan.runs.at(0).config, unit),
      config::name_of(unit), 100 * expected.work);
}

}  // namespace easgd
