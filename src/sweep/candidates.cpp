#include "sweep/candidates.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sweep/rung_result.h"

namespace easgd {
namespace {

using Values = std::map<std::string, std::string>;

std::map<Values, std::size_t> numbered(const SweepPlan& plan) {
  std::map<Values, std::size_t> numbers;
  for (const SweepRun& run : plan.runs) numbers.emplace(run.planned.values, numbers.size());
  return numbers;
}

RungResult result_of(const RunSummary& summary) {
  const bool is_lost = summary.status == RunStatus::diverged;
  return {.test_error = summary.test_error,
          .test_loss = is_lost ? HUGE_VAL : summary.test_loss,
          .train_loss = summary.train_loss};
}

}  // namespace

std::size_t count_candidates(const SweepPlan& plan) {
  return numbered(plan).size();
}

Candidates::Candidates(const SweepPlan& plan, const SweepRecord& record)
    : plan_(plan),
      groups_(count_candidates(plan)),
      halving_(
          {.candidates = groups_.size(), .rungs = plan.rungs.size(), .eta = plan.early_stop->eta}) {
  const std::map<Values, std::size_t> numbers = numbered(plan);
  for (const SweepRun& run : plan.runs) {
    const std::size_t number = numbers.at(run.planned.values);
    Group& group = groups_[number];
    places_[run.identity()] = {number, group.size()};
    group.push_back({.run = &run});
    group.back().results.resize(plan.rungs.size() + 1);
    take_up(group.back(), record);
  }
  for (std::size_t i = 0; i < groups_.size(); ++i) report(i);
}

/// Nothing if it is no rung of this plan.
std::optional<std::size_t> Candidates::level_of(const std::string& until) const {
  if (until == kEnd) return halving_.end();
  for (std::size_t i = 0; i < plan_.rungs.size(); ++i) {
    if (plan_.rungs[i].text() == until) return i;
  }
  return std::nullopt;
}

void Candidates::take_up(Member& member, const SweepRecord& record) const {
  const std::string& identity = member.run->identity();
  const auto known = record.rungs.find(identity);
  for (std::size_t i = 0; known != record.rungs.end() && i < plan_.rungs.size(); ++i) {
    const auto result = known->second.find(plan_.rungs[i].text());
    if (result == known->second.end()) continue;
    member.results[i] = value_of(result->second, plan_.early_stop->metric);
    member.has_begun = true;
    member.level = i;
  }
  const StateEvent state = record.state_of(identity);
  if (state.state == RunState::done) return;
  const auto level = level_of(state.until);
  member.has_begun = member.has_begun || level;
  member.level = std::max(member.level, level.value_or(0));
}

Candidates::Member& Candidates::member_of(const SweepRun& run) {
  const auto [group, index] = places_.at(run.identity());
  return groups_[group][index];
}

void Candidates::finished(const SweepRun& run, const RunSummary& summary,
                          std::span<const EvaluationEvent> evaluations) {
  Member& member = member_of(run);
  member.is_done = member.has_begun = true;
  member.has_failed = false;
  const RungResult end = result_of(summary);
  for (std::size_t i = 0; i <= halving_.end(); ++i) {
    if (member.results[i]) continue;
    const bool is_rung = i < plan_.rungs.size();
    const auto there = is_rung ? result_at(plan_.rungs[i], evaluations) : std::nullopt;
    member.results[i] = value_of(there.value_or(end), plan_.early_stop->metric);
  }
  report(places_.at(run.identity()).first);
}

void Candidates::paused(const SweepRun& run, const PausePoint& where, const RungResult& result) {
  Member& member = member_of(run);
  const std::size_t level = level_of(where.text()).value();
  member.has_begun = true;
  member.level = std::max(member.level, level);
  member.results[level] = value_of(result, plan_.early_stop->metric);
  report(places_.at(run.identity()).first);
}

void Candidates::failed(const SweepRun& run) {
  Member& member = member_of(run);
  member.has_failed = true;
  report(places_.at(run.identity()).first);
}

/// Tells of a candidate what all its runs have come to. Where it is, those say that are not done:
/// one that has ended before a rung waits for nobody.
void Candidates::report(std::size_t number) {
  const Group& group = groups_[number];
  for (const Member& member : group) {
    if (member.has_begun) halving_.begin(number, member.is_done ? 0 : member.level);
  }
  for (std::size_t level = 0; level <= halving_.end(); ++level) {
    double sum = 0;
    bool is_whole = true, somebody_came = false;
    for (const Member& member : group) {
      const std::optional<double>& result = member.results[level];
      is_whole = is_whole && (result || member.has_failed);
      somebody_came = somebody_came || result || member.level == level;
      sum += result.value_or(HUGE_VAL);
    }
    if (is_whole && somebody_came) halving_.report(number, level, sum / double(group.size()));
  }
}

std::vector<Leg> Candidates::legs_to(std::size_t number, std::size_t level) const {
  std::vector<Leg> legs;
  for (const Member& member : groups_[number]) {
    if (member.results[level] || member.has_failed) continue;
    Leg leg{.run = member.run};
    if (level < plan_.rungs.size()) leg.pause = plan_.rungs[level];
    legs.push_back(leg);
  }
  return legs;
}

std::vector<Leg> Candidates::open_legs() {
  std::vector<Leg> legs;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const auto level = halving_.level_of(i);
    if (!level) continue;
    const std::vector<Leg> more = legs_to(i, *level);
    legs.insert(legs.end(), more.begin(), more.end());
  }
  return legs;
}

const SweepRun* Candidates::next_run() const {
  const auto step = halving_.next();
  return step ? groups_[step->candidate].front().run : nullptr;
}

std::vector<Leg> Candidates::take_next() {
  const Halving::Step step = halving_.next().value();
  halving_.begin(step.candidate, step.level);
  for (Member& member : groups_[step.candidate]) {
    member.has_begun = true;
    member.level = std::max(member.level, step.level);
  }
  return legs_to(step.candidate, step.level);
}

std::vector<const SweepRun*> Candidates::losers() const {
  std::vector<const SweepRun*> runs;
  for (const std::size_t number : halving_.losers()) {
    for (const Member& member : groups_[number]) {
      if (!member.is_done && !member.has_failed) runs.push_back(member.run);
    }
  }
  return runs;
}

}  // namespace easgd
