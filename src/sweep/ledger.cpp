#include "sweep/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace easgd {
namespace {

using Rungs = std::map<std::string, RungResult>;

bool goes_on(const SweepRecord& record, const PlanEvent& plan) {
  return record.plan && record.plan->varies_same(plan);
}

/// But for its time, and for runs that were added to it.
bool is_same(const SweepRecord& record, const PlanEvent& plan) {
  if (!goes_on(record, plan)) return false;
  std::vector<PlannedRun> runs = record.plan->runs;
  runs.resize(runs.size() - record.added);
  return runs == plan.runs && record.plan->rungs == plan.rungs && record.plan->compares_same(plan);
}

std::set<std::string> identities_in(const PlanEvent& plan) {
  std::set<std::string> identities;
  for (const PlannedRun& run : plan.runs) identities.insert(run.identity);
  return identities;
}

/// How many of `all` are not among the `others`.
std::size_t count_beside(const std::set<std::string>& all, const std::set<std::string>& others) {
  return std::size_t(
      std::ranges::count_if(all, [&](const auto& run) { return !others.contains(run); }));
}

/// Some run of the plan is stopped early.
bool has_stopped(const SweepRecord& record) {
  return std::ranges::any_of(record.plan->runs, [&record](const PlannedRun& run) {
    return record.state_of(run.identity).state == RunState::stopped_early;
  });
}

}  // namespace

std::string Ledger::take(const SweepPlan& plan) {
  const PlanEvent event = plan.event();
  const std::optional<PlanEvent> earlier = record_.plan;
  if (plan.is_open ? goes_on(record_, event) : is_same(record_, event)) return "";
  manifest_.write(event);
  record_.replace_plan(event);
  if (!earlier || plan.is_open) return "";
  const std::set<std::string> before = identities_in(*earlier), now = identities_in(*record_.plan);
  std::string remark = fmt::format(
      "the sweep is another than before: {} runs added, {} left out (they stay in {})",
      count_beside(now, before), count_beside(before, now), (record_.folder / "runs").string());
  if (!has_stopped(record_)) return remark;
  if (earlier->rungs != event.rungs) {
    remark +=
        "; the rungs are others than before: runs that were stopped early and may go on now "
        "begin again";
  } else if (!earlier->compares_same(event)) {
    remark +=
        "; runs are compared by another rule than before: those that were stopped early and may go "
        "on now begin again";
  }
  return remark;
}

void Ledger::add(const PlannedRun& run) {
  if (record_.add(run)) manifest_.write(AddedEvent{.run = run});
}

bool Ledger::stop(const SweepRun& run, PauseUnit unit) {
  const StateEvent last = state_of(run);
  if (last.state == RunState::stopped_early && last.result) return false;
  StateEvent state{
      .state = RunState::stopped_early, .attempt = last.attempt, .exit_code = last.exit_code};
  double farthest = 0;
  const auto rungs = record_.rungs.find(run.identity());
  for (const auto& [until, result] : rungs == record_.rungs.end() ? Rungs() : rungs->second) {
    const PausePoint place = pause_point_of(until);
    if (place.unit != unit || place.value <= farthest) continue;
    farthest = place.value;
    state.until = until;
    state.result = result;
  }
  note(run, std::move(state));
  return true;
}

void Ledger::note(const SweepRun& run, StateEvent state) {
  state.identity = run.identity();
  manifest_.write(state);
  record_.note(state);
}

}  // namespace easgd
