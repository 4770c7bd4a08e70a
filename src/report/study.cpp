#include "report/study.h"

#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "config/choice.h"
#include "report/axes.h"
#include "report/devices.h"
#include "report/find_runs.h"
#include "report/groups.h"
#include "runs/manifest.h"
#include "runs/run_folder.h"

namespace easgd::report {
namespace {

namespace fs = std::filesystem;

/// Whether a sweep knows better than the run's own folder how it ended. A sweep that was killed
/// still calls its runs running.
bool is_verdict(RunState state) {
  return state == RunState::failed || state == RunState::interrupted ||
         state == RunState::stopped_early;
}

void take_planned(const PlannedRun& planned, ReportedRun& run) {
  run.is_planned = true;
  run.settings = planned.values;
  run.settings["seed"] = std::to_string(planned.seed);
  const auto devices = run.settings.find("workers.devices");
  if (devices != run.settings.end()) devices->second = device_words(devices->second);
}

ReportedRun missing_run(const fs::path& folder, const std::string& why) {
  ReportedRun run;
  run.folder = folder;
  run.status = "missing";
  run.notes = {why};
  return run;
}

/// What the sweep alone knows of a run.
ReportedRun run_without_folder(const SweepRecord& sweep, const fs::path& folder, RunState said) {
  const std::string word = config::name_of(said);
  const bool had_folder = said == RunState::done || said == RunState::paused ||
                          (said == RunState::running && !is_sweep_at_work(sweep.folder));
  if (had_folder) {
    return missing_run(folder, fmt::format("was {}, but its folder is gone", word));
  }
  ReportedRun run;
  run.folder = folder;
  run.status = word;
  return run;
}

/// What a sweep knows of one of its runs; the run's own folder knows better, if it has one.
ReportedRun read_planned(const SweepRecord& sweep, const PlannedRun& planned) {
  const fs::path folder = sweep.folder / planned.folder;
  const StateEvent state = sweep.state_of(planned.identity);
  ReportedRun run;
  if (!is_run_folder(folder)) {
    run = run_without_folder(sweep, folder, state.state);
  } else {
    run = read_reported_run(folder);
    if (!run.identity.empty() && run.identity != planned.identity) {
      run = missing_run(folder, fmt::format("another run, {}, lies in its place", run.identity));
    } else if (is_verdict(state.state) && run.status != "running" && !run.is_complete()) {
      run.status = config::name_of(state.state);
    }
  }
  run.identity = planned.identity;
  run.adapted = planned.adapted;
  if (!state.reason.empty()) run.notes.push_back(state.reason);
  if (run.settings.empty()) take_planned(planned, run);
  return run;
}

/// All runs of its plan, also those that wait; returns its axes. A sweep whose manifest cannot be
/// read is a folder of runs.
std::vector<std::string> read_sweep_runs(const fs::path& folder, Study& study) {
  try {
    const SweepRecord sweep = read_sweep(folder);
    study.notes.insert(study.notes.end(), sweep.notes.begin(), sweep.notes.end());
    if (sweep.plan) {
      for (const PlannedRun& planned : sweep.plan->runs) {
        study.runs.push_back(read_planned(sweep, planned));
      }
      return sweep.plan->axes;
    }
  } catch (const DataError& e) {
    study.notes.push_back(std::string(e.what()) + "; its runs are taken from its folders");
  }
  for (const fs::path& run : find_runs_below(folder)) {
    study.runs.push_back(read_reported_run(run));
  }
  return {};
}

/// A sweep and one of its runs may both have been named. What is missing is not where its folder
/// leads.
void leave_out_repeated(std::vector<ReportedRun>& runs) {
  std::set<fs::path> seen;
  std::erase_if(runs, [&seen](const ReportedRun& run) {
    std::error_code error;
    if (run.status == "missing") return false;
    const fs::path same = fs::weakly_canonical(run.folder, error);
    return !seen.insert(error ? run.folder : same).second;
  });
}

}  // namespace

Study make_study(std::vector<ReportedRun> runs, const std::vector<std::string>& planned) {
  Study study{std::move(runs), {}, {}, {}};
  study.axes = axes_between(study.runs, planned);
  study.groups = groups_of(study.runs, study.axes);
  return study;
}

Study read_study(const std::vector<std::string>& places) {
  Study read;
  std::vector<std::string> planned;
  const std::vector<Found> found = find_runs(places);
  for (const Found& one : found) {
    if (!one.is_sweep) {
      read.runs.push_back(read_reported_run(one.folder));
    } else if (auto axes = read_sweep_runs(one.folder, read); found.size() == 1) {
      planned = std::move(axes);
    }
  }
  leave_out_repeated(read.runs);
  Study study = make_study(std::move(read.runs), planned);
  study.notes = std::move(read.notes);
  return study;
}

}  // namespace easgd::report
