#include "runs/progress.h"

#include <doctest/doctest.h>

using namespace easgd;

TEST_CASE("progress: a line holds what there is room for, the best first") {
  const ProgressState state{0.25, 3725, 12.5, 1644};
  CHECK(progress_line(state, 79) ==
        "[####............]  25 % | 1:02:05 | epoch 12.50 | 1644 images/s | 3:06:15 left");
  CHECK(progress_line(state, 100) ==
        "[######..................]  25 % | 1:02:05 | epoch 12.50 | 1644 images/s | 3:06:15 left");
  CHECK(progress_line(state, 30) == " 25 % | 1:02:05 | epoch 12.50");
  CHECK(progress_line(state, 4) == " 25 ");
  CHECK(progress_line(state, 0).empty());
}

TEST_CASE("progress: of a run whose length is not known there is neither bar nor share") {
  CHECK(progress_line({.seconds = 60, .epoch = 1}, 79) == "1:00 | epoch 1.00");
}

TEST_CASE("progress: no line is longer than its room") {
  const double endless = 9e6;
  for (const double fraction : {0.0, 1e-9, 0.001, 0.5, 1.0}) {
    for (const double seconds : {0.0, 59.6, 3601.0, 1e5, endless}) {
      for (const double rate : {0.0, 7.0, 1e9}) {
        for (std::size_t room = 0; room < 120; ++room) {
          CHECK(progress_line({fraction, seconds, 123456.789, rate}, room).size() <= room);
        }
      }
    }
  }
}
