// Who goes on and who is stopped: asynchronous successive halving, against cases done by hand.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "sweep/candidates.h"
#include "sweep/halving.h"
#include "sweep/rung_result.h"
#include "temporary_folder.h"

using namespace easgd;
using namespace easgd::testing;

namespace {

using Step = Halving::Step;

/// One place: what is chosen is done before the next is chosen.
std::vector<Step> one_at_a_time(Halving& halving, const std::vector<std::vector<double>>& values) {
  std::vector<Step> steps;
  while (const auto step = halving.next()) {
    steps.push_back(*step);
    halving.begin(step->candidate, step->level);
    halving.report(step->candidate, step->level, values[step->candidate][step->level]);
  }
  return steps;
}

std::vector<std::size_t> sorted(std::vector<std::size_t> all) {
  std::ranges::sort(all);
  return all;
}

}  // namespace

TEST_CASE("one place, nine candidates, a third goes on: as by hand") {
  // Results at the first rung, the second, and the end.
  const std::vector<std::vector<double>> values = {{50, 40, 30}, {30, 25, 20}, {40, 0, 0},
                                                   {20, 22, 18}, {60, 0, 0},   {10, 30, 0},
                                                   {45, 0, 0},   {25, 9, 5},   {70, 0, 0}};
  Halving halving({.candidates = 9, .rungs = 2, .eta = 3});
  CHECK(one_at_a_time(halving, values) ==
        std::vector<Step>{{0, 0},
                          {1, 0},
                          {2, 0},
                          {1, 1},  // best of three: 30
                          {3, 0},
                          {3, 1},  // best of four: 20
                          {4, 0},
                          {5, 0},
                          {5, 1},  // the two best of six are 10 and 20
                          {3, 2},  // best of three at the second rung: 22
                          {6, 0},
                          {7, 0},  // 25 is the third of eight, of which two go on
                          {8, 0},
                          {7, 1},    // of nine three go on: 10, 20, 25
                          {7, 2}});  // of four one goes on, and 9 is the best
  CHECK(sorted(halving.losers()) == std::vector<std::size_t>{0, 1, 2, 4, 5, 6, 8});
}

TEST_CASE("with fewer candidates than eta the best still comes to its end") {
  Halving halving({.candidates = 2, .rungs = 3, .eta = 4});
  CHECK(one_at_a_time(halving, {{2, 2, 2, 2}, {1, 3, 3, 3}}) ==
        std::vector<Step>{{0, 0}, {1, 0}, {1, 1}, {1, 2}, {1, 3}});
  CHECK(halving.losers() == std::vector<std::size_t>{0});
}

TEST_CASE("what is not finite ranks last and never goes on") {
  const double lost = std::nan(""), infinite = HUGE_VAL;
  Halving all_lost({.candidates = 3, .rungs = 1, .eta = 2});
  one_at_a_time(all_lost, {{lost, 1}, {infinite, 1}, {lost, 1}});
  CHECK(all_lost.losers().size() == 3);
  Halving some({.candidates = 4, .rungs = 1, .eta = 2});
  CHECK(one_at_a_time(some, {{lost, 1}, {lost, 1}, {9, 1}, {lost, 1}}) ==
        std::vector<Step>{{0, 0}, {1, 0}, {2, 0}, {2, 1}, {3, 0}});
  // The only one that was left is lost behind the rung: the next best takes its place.
  Halving late({.candidates = 3, .rungs = 1, .eta = 3});
  CHECK(one_at_a_time(late, {{1, lost}, {3, 1}, {2, 1}}) ==
        std::vector<Step>{{0, 0}, {1, 0}, {2, 0}, {0, 1}, {2, 1}});
}

TEST_CASE("nobody goes on while those are at work who decide it") {
  Halving halving({.candidates = 2, .rungs = 1, .eta = 3});
  halving.begin(0, 0);
  halving.begin(1, 0);
  CHECK(halving.next() == std::nullopt);
  halving.report(0, 0, 5);
  CHECK(halving.next() == std::nullopt);
  CHECK(halving.losers().empty());
  halving.report(1, 0, 5);  // of equals the first
  CHECK(halving.next() == Step{0, 1});
}

TEST_CASE("who cannot go on any more is known before all are done, but after one has ended well") {
  const double lost = std::nan("");
  Halving halving({.candidates = 6, .rungs = 1, .eta = 3});
  for (std::size_t i = 0; i < 3; ++i) halving.report(i, 0, double(i));
  halving.report(3, 0, lost);
  CHECK(halving.losers() == std::vector<std::size_t>{3});
  halving.report(0, 1, lost);
  CHECK(halving.losers() == std::vector<std::size_t>{3});  // all others may have to step in
  halving.report(1, 1, 5);
  CHECK(halving.losers() == std::vector<std::size_t>{2, 3});  // of six two go on at most
}

TEST_CASE("whoever takes the place of one that was lost has not been stopped before") {
  const double lost = std::nan("");
  Halving halving({.candidates = 3, .rungs = 1, .eta = 3});
  for (std::size_t i = 0; i < 3; ++i) halving.report(i, 0, double(i));
  halving.begin(0, 1);
  CHECK(halving.losers().empty());
  halving.report(0, 1, lost);
  CHECK(halving.next() == Step{1, 1});
}

TEST_CASE("however results come in, each step keeps the rule, and one comes to its end") {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const std::size_t eta = 2 + random() % 3, rungs = 1 + random() % 3, count = 1 + random() % 20;
    Halving halving({.candidates = count, .rungs = rungs, .eta = eta});
    std::vector<std::vector<double>> results(rungs + 1);  // of each level
    std::vector<Step> at_work;
    std::set<std::size_t> lost, ended, lost_at_end;
    const std::size_t places = 1 + random() % 4;
    const auto value = [&] { return random() % 9 == 0 ? std::nan("") : double(random() % 1000); };
    std::vector<std::vector<double>> values(count);
    for (auto& of_one : values) {
      for (std::size_t i = 0; i <= rungs; ++i) of_one.push_back(value());
    }
    while (true) {
      while (at_work.size() < places) {
        const auto step = halving.next();
        if (!step) break;
        CHECK(!lost.contains(step->candidate));
        if (step->level > 0) {
          const double own = values[step->candidate][step->level - 1];
          CHECK(std::isfinite(own));
          const auto& others = results[step->level - 1];
          const auto better = std::ranges::count_if(others, [&](double v) { return v < own; });
          const bool is_good = std::size_t(better) < others.size() / eta;
          CHECK((is_good || (at_work.empty() && ended.empty())));
        }
        halving.begin(step->candidate, step->level);
        at_work.push_back(*step);
      }
      for (const std::size_t loser : halving.losers()) lost.insert(loser);
      if (at_work.empty()) break;
      const std::size_t chosen = random() % at_work.size();
      const Step step = at_work[chosen];
      at_work.erase(at_work.begin() + std::ptrdiff_t(chosen));
      const double result = values[step.candidate][step.level];
      halving.report(step.candidate, step.level, result);
      results[step.level].push_back(result);
      if (step.level < rungs) continue;
      (std::isfinite(result) ? ended : lost_at_end).insert(step.candidate);
    }
    const auto is_finite = [](double v) { return std::isfinite(v); };
    const bool any_can_end = std::ranges::any_of(
        values, [&](const auto& of_one) { return std::ranges::all_of(of_one, is_finite); });
    CHECK(ended.empty() != any_can_end);
    CHECK(lost.size() + ended.size() + lost_at_end.size() == count);
  }
}

namespace {

/// Two runs, of seeds 1 and 2, of each of `count` taus; rungs at 1 and 3 epochs of 9.
SweepPlan plan_of(std::size_t count) {
  SweepPlan plan;
  plan.axes = {"algorithm.tau"};
  plan.early_stop = EarlyStop{.eta = 2, .first = {PauseUnit::epochs, 1}, .location = "s.toml:1"};
  plan.rungs = {{PauseUnit::epochs, 1}, {PauseUnit::epochs, 3}};
  for (std::size_t tau = 0; tau < count; ++tau) {
    for (std::int64_t seed = 1; seed <= 2; ++seed) {
      SweepRun run;
      run.planned.identity = fmt::format("{}{}", char('a' + tau), seed);
      run.planned.seed = seed;
      run.planned.values["algorithm.tau"] = std::to_string(tau);
      plan.runs.push_back(run);
    }
  }
  return plan;
}

std::string text_of(const std::vector<Leg>& legs) {
  std::string text;
  for (const Leg& leg : legs) {
    text += fmt::format("{}@{} ", leg.run->identity(), leg.pause ? leg.pause->text() : "end");
  }
  return text;
}

RungResult error(double value) {
  return {.test_error = value, .test_loss = 1, .train_loss = 1};
}

RunSummary ended_with(double test_error) {
  RunSummary summary;
  summary.test_error = test_error;
  summary.test_loss = 1;
  return summary;
}

}  // namespace

TEST_CASE("runs that differ in the seed are judged together, by their mean") {
  const SweepPlan plan = plan_of(2);
  CHECK(count_candidates(plan) == 2);
  Candidates candidates(plan, {});
  CHECK(candidates.open_legs().empty());
  CHECK(text_of(candidates.take_next()) == "a1@epochs=1 a2@epochs=1 ");
  CHECK(text_of(candidates.take_next()) == "b1@epochs=1 b2@epochs=1 ");
  CHECK(candidates.next_run() == nullptr);
  candidates.paused(plan.runs[0], plan.rungs[0], error(0.1));  // the best of all four
  candidates.paused(plan.runs[1], plan.rungs[0], error(0.9));
  candidates.paused(plan.runs[2], plan.rungs[0], error(0.4));
  CHECK(candidates.next_run() == nullptr);
  candidates.paused(plan.runs[3], plan.rungs[0], error(0.4));
  REQUIRE(candidates.next_run() == &plan.runs[2]);
  CHECK(text_of(candidates.take_next()) == "b1@epochs=3 b2@epochs=3 ");
  CHECK(candidates.losers().empty());  // b may be lost yet
  for (const std::size_t i : {2, 3}) candidates.finished(plan.runs[i], ended_with(0.4), {});
  CHECK(candidates.losers() == std::vector<const SweepRun*>{&plan.runs[0], &plan.runs[1]});
}

TEST_CASE("a seed that fails, or whose loss is lost, costs its combination the rung") {
  const SweepPlan plan = plan_of(3);
  Candidates candidates(plan, {});
  for (int i = 0; i < 3; ++i) candidates.take_next();
  candidates.paused(plan.runs[0], plan.rungs[0], error(0.1));
  candidates.failed(plan.runs[1]);
  candidates.paused(plan.runs[2], plan.rungs[0], error(0.1));
  candidates.paused(plan.runs[3], plan.rungs[0], {0.1, std::nan(""), 1});
  candidates.paused(plan.runs[4], plan.rungs[0], error(0.8));
  candidates.paused(plan.runs[5], plan.rungs[0], error(0.8));
  CHECK(text_of(candidates.take_next()) == "c1@epochs=3 c2@epochs=3 ");
  // The one that has failed is no run that was stopped.
  CHECK(candidates.losers() ==
        std::vector<const SweepRun*>{&plan.runs[0], &plan.runs[2], &plan.runs[3]});
}

TEST_CASE("what a manifest says is enough to go on") {
  const SweepPlan plan = plan_of(3);
  SweepRecord record;
  const auto note = [&record](const std::string& identity, const std::string& until,
                              std::optional<RungResult> result) {
    record.note({.identity = identity, .until = until, .result = result});
  };
  note("a1", "epochs=1", error(0.1));
  note("a2", "epochs=1", error(0.2));
  note("b1", "epochs=1", error(0.3));
  note("b2", "epochs=1", error(0.4));
  note("a1", "epochs=3", std::nullopt);  // was at work
  Candidates candidates(plan, record);
  CHECK(text_of(candidates.open_legs()) == "a1@epochs=3 a2@epochs=3 ");
  CHECK(text_of(candidates.take_next()) == "c1@epochs=1 c2@epochs=1 ");
  // Of other rungs, it says how far runs were at those that both have.
  SweepPlan other = plan_of(3);
  other.rungs = {{PauseUnit::epochs, 0.5}, {PauseUnit::epochs, 1}};
  Candidates again(other, record);
  CHECK(text_of(again.open_legs()).empty());
  CHECK(text_of(again.take_next()) == "a1@end a2@end ");
}

namespace {

/// Of a run that is worth `errors` after 1, 2, 3, ... epochs of 10 steps of two workers.
std::vector<EvaluationEvent> evaluations_of(const std::vector<double>& errors) {
  std::vector<EvaluationEvent> all;
  for (const double test_error : errors) {
    const std::size_t epoch = all.size() + 1;
    all.push_back({.version = epoch,
                   .steps = {10 * epoch, 10 * epoch},
                   .epoch = double(epoch),
                   .train_loss = 1,
                   .test_loss = 1,
                   .test_error = test_error});
  }
  return all;
}

}  // namespace

TEST_CASE("runs that are done count at a rung with what they had come to there") {
  const SweepPlan plan = plan_of(3);
  Candidates candidates(plan, {});
  const std::vector<EvaluationEvent> mediocre = evaluations_of({0.5, 0.4, 0.3, 0.2});
  for (const std::size_t i : {0, 1}) candidates.finished(plan.runs[i], ended_with(0.1), mediocre);
  candidates.take_next();
  candidates.take_next();
  for (const std::size_t i : {2, 3}) candidates.paused(plan.runs[i], plan.rungs[0], error(0.45));
  for (const std::size_t i : {4, 5}) candidates.paused(plan.runs[i], plan.rungs[0], error(0.6));
  // Better than 0.5 after one epoch, though not than 0.1 at the end.
  REQUIRE(candidates.next_run() == &plan.runs[2]);
  CHECK(text_of(candidates.take_next()) == "b1@epochs=3 b2@epochs=3 ");
  for (const std::size_t i : {2, 3}) candidates.paused(plan.runs[i], plan.rungs[1], error(0.31));
  CHECK(candidates.next_run() == nullptr);  // not better than 0.3 after three
}

TEST_CASE("what a run has come to at a rung is its first evaluation at or behind it") {
  const std::vector<EvaluationEvent> all = evaluations_of({0.5, 0.4, 0.3});
  const auto error_at = [&all](const PausePoint& rung) {
    const auto result = result_at(rung, all);
    return result ? result->test_error : -1;
  };
  CHECK(error_at({PauseUnit::epochs, 0.5}) == 0.5);
  CHECK(error_at({PauseUnit::epochs, 2}) == 0.4);
  CHECK(error_at({PauseUnit::epochs, 2.01}) == 0.3);
  CHECK(error_at({PauseUnit::epochs, 3.01}) == -1);
  CHECK(error_at({PauseUnit::steps, 11}) == 0.4);
  CHECK(error_at({PauseUnit::steps, 31}) == -1);
}

TEST_CASE("workers that are gone do not hold a rung back") {
  const TemporaryFolder folder;
  CHECK(evaluations_in(folder.path()).empty());
  std::ofstream file(folder / "metrics.jsonl");
  const std::vector<std::vector<std::uint64_t>> steps = {{4, 5}, {30, 5}, {60, 5}};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    file << to_json(EvaluationEvent{.version = 10 * i, .steps = steps[i]}).dump() << "\n";
    if (i > 0) continue;
    file << "{\"event\": \"evaluation\", damaged\n";
    file << to_json(FailureEvent{.worker = 1, .version = 6, .then = "gone"}).dump() << "\n";
    file << to_json(FailureEvent{.worker = 0, .version = 6, .then = "restart"}).dump() << "\n";
  }
  file << to_json(EvaluationEvent{.version = 99}).dump();  // being written
  file.close();
  const std::vector<EvaluationEvent> found = evaluations_in(folder.path());
  REQUIRE(found.size() == 3);
  CHECK(found[0].steps == std::vector<std::uint64_t>{4, 5});
  CHECK(found[1].steps == std::vector<std::uint64_t>{30});
  CHECK(result_at({PauseUnit::steps, 60}, found));
}

TEST_CASE("a combination that is done stands at every rung, and one that joins is judged with it") {
  const SweepPlan plan = plan_of(2);
  Candidates candidates(plan, {});
  candidates.finished(plan.runs[0], ended_with(0.1), {});
  CHECK(text_of(candidates.open_legs()) == "a2@epochs=1 ");
  candidates.finished(plan.runs[1], ended_with(0.1), {});
  CHECK(candidates.open_legs().empty());
  CHECK(text_of(candidates.take_next()) == "b1@epochs=1 b2@epochs=1 ");
  for (const std::size_t i : {2, 3}) candidates.paused(plan.runs[i], plan.rungs[0], error(0.2));
  CHECK(candidates.next_run() == nullptr);
  CHECK(candidates.losers().size() == 2);
}

TEST_CASE("a seed that ends before a rung leaves its combination where the others are") {
  const SweepPlan plan = plan_of(2);
  for (const double other : {0.3, 0.1}) {
    CAPTURE(other);
    Candidates candidates(plan, {});
    candidates.take_next();
    candidates.take_next();
    candidates.finished(plan.runs[0], ended_with(0.2), {});
    candidates.paused(plan.runs[1], plan.rungs[0], error(0.2));
    for (const std::size_t i : {2, 3}) candidates.paused(plan.runs[i], plan.rungs[0], error(other));
    CHECK(candidates.open_legs().empty());
    REQUIRE(candidates.next_run());
    if (other > 0.2) {
      CHECK(text_of(candidates.take_next()) == "a2@epochs=3 ");
      candidates.paused(plan.runs[1], plan.rungs[1], error(0.2));
      CHECK(text_of(candidates.take_next()) == "a2@end ");
      candidates.finished(plan.runs[1], ended_with(0.2), {});
    } else {
      candidates.take_next();
      for (const std::size_t i : {2, 3}) candidates.finished(plan.runs[i], ended_with(other), {});
      CHECK(candidates.losers() == std::vector<const SweepRun*>{&plan.runs[1]});
    }
    CHECK(candidates.next_run() == nullptr);
    CHECK(candidates.losers().size() == (other > 0.2 ? 2 : 1));
  }
}

TEST_CASE("a manifest that calls a seed done on its way to the end sends no other there") {
  const SweepPlan plan = plan_of(2);
  SweepRecord record;
  record.note({.identity = "a1", .state = RunState::done, .until = "end"});
  record.note({.identity = "a2", .until = "epochs=1", .result = error(0.2)});
  Candidates candidates(plan, record);
  candidates.finished(plan.runs[0], ended_with(0.2), {});
  CHECK(candidates.open_legs().empty());
}
