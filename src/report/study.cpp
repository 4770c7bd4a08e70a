#include "report/study.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "config/choice.h"
#include "report/axes.h"
#include "report/find_runs.h"
#include "report/groups.h"
#include "runs/manifest.h"

namespace easgd::report {
namespace {

namespace fs = std::filesystem;

/// What a sweep knows of one of its runs; the run's own folder knows better, if it has one.
ReportedRun read_planned(const SweepRecord& sweep, const PlannedRun& planned) {
  const fs::path folder = sweep.folder / planned.folder;
  const StateEvent state = sweep.state_of(planned.identity);
  ReportedRun run;
  if (is_run_folder(folder)) {
    run = read_reported_run(folder);
    if (!run.summary || state.state == RunState::failed || state.state == RunState::stopped_early) {
      if (run.status != "running") run.status = config::name_of(state.state);
    }
  } else {
    run.folder = folder;
    run.status = config::name_of(state.state);
  }
  run.identity = planned.identity;
  if (!state.reason.empty()) run.notes.push_back(state.reason);
  if (run.settings.empty()) {
    run.settings = planned.values;
    run.settings["seed"] = std::to_string(planned.seed);
  }
  return run;
}

/// All runs of its plan, also those that wait; nothing if it cannot be read.
std::optional<PlanEvent> read_sweep_runs(const fs::path& folder, Study& study) {
  try {
    const SweepRecord sweep = read_sweep(folder);
    if (!sweep.plan) return std::nullopt;
    for (const PlannedRun& planned : sweep.plan->runs) {
      study.runs.push_back(read_planned(sweep, planned));
    }
    return sweep.plan;
  } catch (const DataError& e) {
    study.notes.push_back(std::string(e.what()) + "; its runs are taken from its folders");
    return std::nullopt;
  }
}

}  // namespace

Study make_study(std::vector<ReportedRun> runs, const std::vector<std::string>& planned) {
  Study study{std::move(runs), {}, {}, {}};
  study.axes = planned.empty() ? axes_between(study.runs) : axes_named(study.runs, planned);
  study.groups = groups_of(study.runs, study.axes);
  return study;
}

Study read_study(const std::vector<std::string>& places) {
  Study read;
  std::vector<std::string> planned, plain;
  for (const std::string& place : places) {
    const auto plan = is_sweep(place) ? read_sweep_runs(place, read) : std::nullopt;
    if (!plan) plain.push_back(place);
    if (plan && places.size() == 1) planned = plan->axes;
  }
  for (const fs::path& folder : find_runs(plain)) read.runs.push_back(read_reported_run(folder));
  Study study = make_study(std::move(read.runs), planned);
  study.notes = std::move(read.notes);
  return study;
}

}  // namespace easgd::report
