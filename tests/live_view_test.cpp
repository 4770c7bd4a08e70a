#include "runs/live_view.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace easgd;

namespace {

WorkerState worker(std::uint64_t number) {
  return {.counts = {.worker = number,
                     .steps = 1200 + number,
                     .data_seconds = 1,
                     .gradient_seconds = 17,
                     .exchange_seconds = 2,
                     .exchanges = 120,
                     .staleness = 3,
                     .distance = 1.23456,
                     .train_loss = 0.5},
          .phase = Phase::gradient};
}

ProgressState state_with(std::size_t workers) {
  ProgressState state{
      .fraction = 0.25,
      .seconds = 100,
      .epoch = 2.5,
      .images_per_second = 1644,
      .version = 4321,
      .center = CenterState{
          .train_loss = 0.75, .test_loss = 0.875, .test_error = 0.3, .best_test_error = 0.25}};
  for (std::size_t i = 0; i < workers; ++i) state.workers.push_back(worker(i));
  return state;
}

/// In one text, each line with its end.
std::string shown(const ProgressState& state, ViewSize size) {
  std::string text;
  for (const std::string& line : live_view(state, size)) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("live view: bar, center and a row a worker") {
  CHECK(shown(state_with(2), {79, 16}) ==
        "[######.................]  25 % | 1:40 | epoch 2.50 | 1644 images/s | 5:00 left\n"
        "center: error 30.00 % | best 25.00 % | version 4321 | test loss 0.8750\n"
        "worker   steps    loss   wait   data  staleness  distance  phase\n"
        "     0    1200  0.5000   10 %    5 %          3     1.235  gradient\n"
        "     1    1201  0.5000   10 %    5 %          3     1.235  gradient\n");
}

TEST_CASE("live view: a narrow and low terminal shows less of fewer workers") {
  CHECK(shown(state_with(16), {39, 6}) ==
        "[###........]  25 % | 1:40 | epoch 2.50\n"
        "center: error 30.00 % | best 25.00 %\n"
        "worker  steps   loss  wait phase\n"
        "     0   1200 0.5000  10 % gradient\n"
        "     1   1201 0.5000  10 % gradient\n"
        "and 14 more: 1202 to 1215 steps\n");
  CHECK(live_view(state_with(16), {39, 4}).back() == "16 workers: 1200 to 1215 steps");
  ProgressState even = state_with(3);
  for (WorkerState& each : even.workers) each.counts.steps = 7;
  CHECK(live_view(even, {39, 4}).back() == "3 workers: 7 steps");
  CHECK(live_view(state_with(16), {39, 3}).size() == 2);
  CHECK(live_view(state_with(16), {39, 1}).size() == 1);
  CHECK(live_view(state_with(16), {100, 19}).size() == 19);  // all of them
}

TEST_CASE("live view: what is not known yet is not told") {
  const ProgressState state{.seconds = 1, .workers = {WorkerState{}}};
  CHECK(shown(state, {79, 16}) ==
        "0:01 | epoch 0.00\n"
        "center: not tested yet | version 0\n"
        "worker   steps    loss   wait   data  staleness  distance  phase\n"
        "     0       0       -      -      -          -         -  preparing\n");
}

TEST_CASE("live view: a loss that is not finite is told") {
  ProgressState state = state_with(1);
  state.center->test_loss = std::nan("");
  state.center->train_loss.reset();
  CHECK(live_view(state, {100, 3}).at(1) ==
        "center: error 30.00 % | best 25.00 % | version 4321 | test loss nan");
}

TEST_CASE("live view: no terminal is too small, and no number too large") {
  ProgressState state = state_with(40);
  state.seconds = 9e6;
  state.epoch = 123456.789;
  state.images_per_second = 1e9;
  state.version = state.workers[3].counts.steps = ~std::uint64_t(0);
  state.workers[5].counts.distance = 1e300;
  state.workers[5].counts.train_loss = 1e30;
  for (std::size_t columns = 0; columns < 130; ++columns) {
    for (std::size_t lines = 1; lines < 50; ++lines) {
      const std::vector<std::string> view = live_view(state, {columns, lines});
      CHECK(view.size() <= lines);
      for (const std::string& line : view) CHECK(line.size() <= columns);
    }
  }
}
