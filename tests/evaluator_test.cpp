// Evaluation beside the training: what fails there must cost neither the run nor what it has
// reached.

#include "evaluate/evaluator.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "base/error.h"

using namespace easgd;

namespace {

struct Fixture {
  std::vector<float> center = {1, 2, 3};
  std::vector<std::uint64_t> steps = {5};
  std::vector<std::uint64_t> saved, reported;
  std::function<void(std::uint64_t version)> on_save, on_test;
  std::function<void()> on_prepare;
  std::uint64_t testing = 0;
  float saved_statistic = 0;

  CenterView at(std::uint64_t version) const {
    CenterView view;
    view.center = center;
    view.version = version;
    view.steps = steps;
    view.train = {2.0 * double(version), 0, std::int64_t(version)};  // since the snapshot before
    return view;
  }

  struct Test final : CenterTest {
    explicit Test(Fixture& f) : fixture(f) {}
    bool prepare(View state) override {
      if (fixture.on_prepare) fixture.on_prepare();
      state[2] = 30;
      return true;
    }
    Tally evaluate(ConstView state) override {
      CHECK(state[1] == 2);
      CHECK(state[2] == 30);
      if (fixture.on_test) fixture.on_test(fixture.testing);
      return {3, 90, 100};
    }
    Fixture& fixture;
  };

  EvaluatorOptions options() {
    return {
        .make_test = [this] { return std::make_unique<Test>(*this); },
        .save =
            [this](const Snapshot& snapshot) {
              testing = snapshot.version;
              if (on_save) on_save(snapshot.version);
              saved.push_back(snapshot.version);
              saved_statistic = snapshot.center.view()[2];
            },
        .report =
            [this](const Evaluation& evaluation) {
              CHECK(evaluation.test.error() == 0.1);
              CHECK(evaluation.train.mean_loss() == 2);
              reported.push_back(evaluation.version);
            },
    };
  }
};

using Versions = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("the last center is evaluated once, whether or not it already was") {
  Fixture f;
  {
    Evaluator evaluator(f.options(), 3);
    CHECK(evaluator.offer(f.at(4), 1));
    evaluator.finish(f.at(9), 2);
  }
  CHECK(f.saved == Versions{4, 9, 9});  // the last one before it is prepared, and after
  CHECK(f.reported == Versions{4, 9});
  Fixture g;
  {
    Evaluator evaluator(g.options(), 3);
    CHECK(evaluator.offer(g.at(4), 1));
    evaluator.finish(g.at(4), 2);
  }
  CHECK(g.saved == Versions{4});
}

TEST_CASE("after a test has thrown, snapshots are still saved, and the end tells") {
  Fixture f;
  f.on_test = [](std::uint64_t) { throw DeviceError("out of memory"); };
  Evaluator evaluator(f.options(), 3);
  CHECK(evaluator.offer(f.at(1), 1));
  while (!evaluator.offer(f.at(2), 2)) std::this_thread::yield();
  CHECK_THROWS_WITH_AS(evaluator.finish(f.at(3), 3), "out of memory", DeviceError);
  CHECK(evaluator.failed());
  CHECK(f.saved == Versions{1, 2, 3});
  CHECK(f.reported.empty());
}

TEST_CASE("the last center is saved before it is prepared, which may be cut off") {
  Fixture f;
  f.on_prepare = [&f] {
    CHECK(f.saved == Versions{7});
    CHECK(f.saved_statistic == 3);
  };
  Evaluator evaluator(f.options(), 3);
  evaluator.finish(f.at(7), 1);
  CHECK(f.saved == Versions{7, 7});
  CHECK(f.saved_statistic == 30);
}

TEST_CASE("what a test prepares is what is saved; where it cannot, the center is saved as it is") {
  Fixture f;
  {
    Evaluator evaluator(f.options(), 3);
    evaluator.finish(f.at(1), 1);
  }
  CHECK(f.saved_statistic == 30);
  f.on_prepare = [] { throw DataError("no such image"); };
  Evaluator evaluator(f.options(), 3);
  CHECK_THROWS_WITH_AS(evaluator.finish(f.at(2), 2), "no such image", DataError);
  CHECK(f.saved == Versions{1, 1, 2});
  CHECK(f.saved_statistic == 3);
  CHECK(f.reported == Versions{1});
}

TEST_CASE("a snapshot that cannot be saved costs a later one nothing; the last one is an error") {
  Fixture f;
  f.on_save = [](std::uint64_t version) {
    if (version == 1) throw DataError("disk full");
  };
  {
    Evaluator evaluator(f.options(), 3);
    CHECK(evaluator.offer(f.at(1), 1));
    evaluator.finish(f.at(2), 2);
  }
  CHECK(f.saved == Versions{2, 2});
  CHECK(f.reported == Versions{1, 2});

  f.on_save = [](std::uint64_t) { throw DataError("disk full"); };
  Evaluator evaluator(f.options(), 3);
  CHECK_THROWS_WITH_AS(evaluator.finish(f.at(7), 1), "disk full", DataError);
}

TEST_CASE("a last center whose saving has failed once is saved in the end, and evaluated once") {
  Fixture f;
  int times = 0;
  f.on_save = [&times](std::uint64_t) {
    if (times++ == 0) throw DataError("disk full");
  };
  Evaluator evaluator(f.options(), 3);
  CHECK(evaluator.offer(f.at(5), 1));
  evaluator.finish(f.at(5), 2);
  CHECK(f.saved == Versions{5, 5});
  CHECK(f.saved_statistic == 30);
  CHECK(f.reported == Versions{5});
}

TEST_CASE("an evaluator that is never finished ends with its owner") {
  Fixture f;
  Evaluator evaluator(f.options(), 3);
  evaluator.offer(f.at(1), 1);
}

TEST_CASE("an error is the wrong over all, exactly") {
  CHECK(Tally{0, 9400, 10000}.error() == 0.06);
  CHECK(Tally{0, 8500, 10000}.error() == 0.15);
}

TEST_CASE("a test that is given up leaves the center saved, and is no failure") {
  Fixture fixture;
  std::vector<std::string> warnings;
  EvaluatorOptions options = fixture.options();
  options.warn = [&](const std::string& message) { warnings.push_back(message); };
  struct Slow final : CenterTest {
    bool prepare(View) override { throw GivenUp(); }
    Tally evaluate(ConstView) override { throw GivenUp(); }
  };
  options.make_test = [] { return std::make_unique<Slow>(); };
  Evaluator evaluator(std::move(options), fixture.center.size());
  evaluator.offer(fixture.at(3), 1);
  evaluator.finish(fixture.at(4), 1);
  CHECK_FALSE(evaluator.failed());
  CHECK(evaluator.gave_up());
  CHECK(fixture.saved.back() == 4);
  CHECK(fixture.reported.empty());
  CHECK(warnings == std::vector<std::string>{
                        "the center was saved and not tested: that takes longer than an end may"});
}
