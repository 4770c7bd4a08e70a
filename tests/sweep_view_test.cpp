// A sweep on a terminal: what is shown, and that it fits.
#include "sweep/sweep_view.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runs/events.h"
#include "sweep/metrics_tail.h"
#include "temporary_folder.h"

using namespace easgd;
using easgd::testing::TemporaryFolder;

namespace {

SweepState some_state() {
  SweepState state{.name = "tau",
                   .total = 40,
                   .done = 10,
                   .failed = 1,
                   .running = {},
                   .best = {{"eamsgd tau=4", 2, 0.2134}, {"easgd tau=1", 1, 0.34}},
                   .seconds = 754,
                   .seconds_left = 3600};
  state.running.push_back({"easgd tau=16 seed=2", {.fraction = 0.5, .test_error = 0.4}, 30});
  state.running.push_back({"eamsgd tau=64 seed=1", {}, 1});
  state.running.push_back({"downpour tau=64 seed=1", {.fraction = 1}, 90});
  return state;
}

bool shows(const std::vector<std::string>& lines, const std::string& part) {
  return std::ranges::any_of(
      lines, [&part](const std::string& line) { return line.find(part) != line.npos; });
}

}  // namespace

TEST_CASE("the view of a sweep says how much is over, who is at work, and what is best") {
  const auto lines = sweep_view(some_state(), {.columns = 100, .lines = 12});
  REQUIRE(lines.size() == 7);
  // 10 done, 1 failed, and 1.5 of those at work: 12.5 of 40 are 7.5 of 24 marks.
  CHECK(lines[0].starts_with("[########................] 10 of 40 done | 1 failed | 12:34"));
  CHECK(lines[1] == "[#####.....]  50 %   40.00 %  easgd tau=16 seed=2");
  CHECK(lines[2] == "[..........]   0 %         -  eamsgd tau=64 seed=1");
  CHECK(lines[4] == "best so far:");
  CHECK(lines[5] == " 21.34 %  eamsgd tau=4 (2 runs)");
  CHECK(lines[6] == " 34.00 %  easgd tau=1");
  CHECK(shows({sweep_line(some_state(), 100)}, "1:00:00 left"));
}

TEST_CASE("runs that were stopped early are over, and are told") {
  SweepState state = some_state();
  state.stopped = 5;
  // 10 done, 1 failed, 5 stopped and 1.5 of those at work: 17.5 of 40 are 10.5 of 24 marks.
  CHECK(sweep_line(state, 110)
            .starts_with(
                "[###########.............] 10 of 40 done | 1 failed | 5 stopped early | 12:34"));
}

TEST_CASE("the view of a sweep fits into whatever room there is") {
  SweepState state = some_state();
  for (int i = 0; i < 30; ++i) state.running.push_back(state.running[0]);
  for (int i = 0; i < 30; ++i) state.best.push_back(state.best[0]);
  for (std::size_t columns = 1; columns <= 120; ++columns) {
    for (std::size_t lines = 1; lines <= 30; ++lines) {
      const auto view = sweep_view(state, {.columns = columns, .lines = lines});
      REQUIRE(!view.empty());
      REQUIRE(view.size() <= lines);
      for (const std::string& line : view) REQUIRE(line.size() <= columns);
    }
  }
  const auto narrow = sweep_view(state, {.columns = 39, .lines = 5});
  CHECK(narrow[0].starts_with("10 of 40 done | 1 failed"));
  CHECK(shows(narrow, "more at work"));
  CHECK(shows(narrow, "best so far"));
  CHECK(sweep_view(some_state(), {.columns = 79, .lines = 1}).size() == 1);
}

TEST_CASE("a run that goes on has another log, which is read from its beginning") {
  const TemporaryFolder folder;
  const auto log = [&folder](const std::string& name, const std::vector<double>& fractions) {
    std::ofstream file(folder / name);
    for (const double fraction : fractions) {
      file << to_json(ProgressEvent{.fraction = fraction}).dump() << "\n";
    }
  };
  log("metrics.jsonl", {0.1, 0.2, 0.9});
  MetricsTail tail(std::filesystem::path(folder / "metrics.jsonl").parent_path());
  CHECK(tail.look().fraction == 0.9);
  log("new", {0.1, 0.2});
  std::filesystem::rename(folder / "new", folder / "metrics.jsonl");
  CHECK(tail.look().fraction == 0.2);
}
