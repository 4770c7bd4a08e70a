// Schedules, lengths and records: small things that a run depends on.

#include <doctest/doctest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <utility>

#include "base/error.h"
#include "base/saved_state.h"
#include "evaluate/evaluation_clock.h"
#include "exchange/order.h"
#include "exchange/rate_cuts.h"
#include "settings/dump.h"
#include "settings/load.h"
#include "settings/worker_schedule.h"

using namespace easgd;
namespace fs = std::filesystem;

TEST_CASE("schedules are their formulas") {
  Schedule s;
  s.length = 1000;
  CHECK(s.at_clock(500) == 1);

  s.kind = ScheduleKind::cosine;
  CHECK(s.at_clock(0) == doctest::Approx(1));
  CHECK(s.at_clock(250) == doctest::Approx((1 + std::cos(std::numbers::pi / 4)) / 2));
  CHECK(s.at_clock(1000) == doctest::Approx(0));
  CHECK(s.at_clock(5000) == doctest::Approx(0));
  s.end = 0.1;
  CHECK(s.at_clock(1000) == doctest::Approx(0.1));

  s.end = 0;
  s.warmup = 0.2;
  CHECK(s.at_clock(0) == doctest::Approx(1.0 / 200));
  CHECK(s.at_clock(99) == doctest::Approx(0.5));
  CHECK(s.at_clock(200) == doctest::Approx(1));
  CHECK(s.at_clock(600) == doctest::Approx(0.5));

  s = Schedule{};
  s.kind = ScheduleKind::steps;
  s.length = 100;
  s.at = {0.5, 0.75};
  CHECK(s.at_clock(49) == 1);
  CHECK(s.at_clock(50) == doctest::Approx(0.1));
  CHECK(s.at_clock(80) == doctest::Approx(0.01));

  s = Schedule{};
  s.kind = ScheduleKind::power;  // [EASGD15]: eta / (1 + gamma t)^0.5
  s.gamma = 0.01;
  CHECK(s.at_clock(300) == doctest::Approx(0.5));
}

TEST_CASE("a schedule shares the epochs, and schedules reach alpha and tau") {
  Config config;
  config.algorithm.name = "easgd";
  config.algorithm.beta = 0.8;
  config.algorithm.tau = 16;
  config.algorithm.tau_schedule.kind = ScheduleKind::steps;
  config.algorithm.tau_schedule.at = {0.5};
  config.algorithm.tau_schedule.factor = 0.25;
  config.algorithm.rho_schedule.kind = ScheduleKind::steps;
  config.algorithm.rho_schedule.at = {0.5};
  config.algorithm.rho_schedule.factor = 2;
  config.workers.batch = 100;
  config.stop.epochs = 2;
  const WorkerSchedule schedule(config, 4, 1001);
  CHECK(schedule.steps(0) == 6);  // 2 x 1001 samples, 4 workers, batches of 100: rounded up
  CHECK(schedule.tau(0) == 16);
  CHECK(schedule.tau(3) == 4);
  CHECK(schedule.rates(0).alpha == doctest::Approx(0.2));
  CHECK(schedule.rates(3).alpha == doctest::Approx(0.4));
  config.stop.steps = 5;
  CHECK(WorkerSchedule(config, 4, 1001).steps(3) == 5);
}

TEST_CASE("a schedule that is slowed down has a lower rate at each step, and the same exchanges") {
  Config config;
  config.algorithm.name = "easgd";
  config.algorithm.beta = 0.8;
  config.algorithm.tau = 16;
  config.algorithm.learning_rate = 0.2;
  config.algorithm.schedule.kind = ScheduleKind::cosine;
  config.stop.steps = 100;
  const WorkerSchedule before(config, 4, 1001);
  WorkerSchedule after(config, 4, 1001);
  after.slow_down(0.25);
  for (const std::uint64_t clock : {0, 30, 99}) {
    CHECK(before.rates(clock).learning_rate > 0);
    CHECK(after.rates(clock).learning_rate ==
          doctest::Approx(before.rates(clock).learning_rate / 4));
    CHECK(after.rates(clock).alpha == before.rates(clock).alpha);
    CHECK(after.tau(clock) == before.tau(clock));
  }
  CHECK(after.steps(3) == before.steps(3));
}

namespace {

/// A loss that is the same in every step of a window, tallied by letters of three steps.
struct Watched {
  explicit Watched(const Schedule& schedule) : cuts(schedule) {}

  /// Returns the factor after the windows that have these losses.
  double after(const std::vector<double>& losses, std::uint64_t window) {
    for (const double loss : losses) {
      for (std::uint64_t step = 0; step < window; ++step, ++clock) {
        if (cuts.is_due(clock)) cuts.look(clock, uncarried);
        if (clock % 3 == 0) cuts.carry(std::exchange(uncarried, {}));
        uncarried += {.loss = 8 * loss, .samples = 8};
      }
    }
    if (cuts.is_due(clock)) cuts.look(clock, uncarried);
    return cuts.factor();
  }

  RateCuts cuts;
  Tally uncarried;
  std::uint64_t clock = 0;
};

Schedule plateau(std::int64_t window, double gain) {
  Schedule s;
  s.kind = ScheduleKind::plateau;
  s.window = window;
  s.gain = gain;
  s.cuts = {0.2, 0.5};
  return s;
}

}  // namespace

TEST_CASE("the rate is cut where the mean loss of a window is no lower than that before") {
  const double nan = std::nan("");
  for (const std::int64_t window : {1, 3, 10}) {
    CAPTURE(window);
    const auto factor = [&](const std::vector<double>& losses, double gain = 0.1) {
      return Watched(plateau(window, gain)).after(losses, std::uint64_t(window));
    };
    CHECK(factor({}) == 1);
    CHECK(factor({2}) == 1);
    CHECK(factor({2, 1.7}) == 1);
    CHECK(factor({2, 1.9}) == 0.2);
    CHECK(factor({2, 1.9}, 0.01) == 1);
    CHECK(factor({2, 3}) == 0.2);
    CHECK(factor({2, 1.9, 1.2}) == 0.2);
    CHECK(factor({2, 1.9, 1.8}) == 0.1);
    CHECK(factor({2, 1.9, 1.8, 1.7, 1.7}) == 0.1);  // there are two cuts
    CHECK(factor({2, nan, 1.99}) == 1);
  }
  CHECK(Watched(plateau(10, 0.1)).after({2, nan, 1.99, 1.98}, 10) == 1);  // a letter has both
  CHECK(Watched(plateau(10, 0.1)).after({2, nan, 1.99, 1.98, 1.97}, 10) == 0.2);
  CHECK_FALSE(RateCuts(Schedule{}).is_on());
  CHECK_FALSE(RateCuts(Schedule{}).is_due(1000000));
}

TEST_CASE("the rate's cuts go on with the state of others") {
  Watched whole(plateau(10, 0.1)), first(plateau(10, 0.1));
  whole.after({2, 1.5}, 10);
  first.after({2, 1.5}, 10);
  StateSaver saver;
  first.cuts.describe(saver);
  Watched second(plateau(10, 0.1));
  StateLoader loader(saver.saved);
  second.cuts.describe(loader);
  second.clock = first.clock, second.uncarried = first.uncarried;
  CHECK(whole.after({1.45}, 10) == 0.2);
  CHECK(second.after({1.45}, 10) == 0.2);
  CHECK(second.after({1.0}, 10) == 0.2);
  CHECK(second.after({0.99}, 10) == 0.1);
}

TEST_CASE("evaluations are due at the multiples of their periods") {
  Every every;
  every.seconds = 10;
  every.versions = 4;
  EvaluationClock clock(every, 50, 1000);
  const std::vector<std::uint64_t> steps = {10, 30};
  CHECK(clock.epoch(steps) == doctest::Approx(2));
  const auto at = [&](std::uint64_t version) {
    CenterView view;
    view.version = version;
    view.steps = steps;
    return view;
  };
  CHECK_FALSE(clock.due(at(3), 9.9));
  CHECK(clock.due(at(3), 10.1));
  CHECK(clock.due(at(4), 0));
  clock.begun(at(5), 27);
  CHECK_FALSE(clock.due(at(7), 29.9));
  CHECK(clock.due(at(8), 29.9));
  CHECK(clock.due(at(7), 30));

  every = {};
  every.epochs = 0.5;
  EvaluationClock by_epoch(every, 50, 1000);
  CHECK(by_epoch.due(at(0), 0));
  by_epoch.begun(at(0), 0);
  CHECK_FALSE(by_epoch.due(at(0), 1000));
}

TEST_CASE("an order.bin reads back; a damaged one says what is wrong") {
  const fs::path path =
      fs::temp_directory_path() / ("easgd_order_test_" + std::to_string(getpid()));
  const Recording recording{{0, 1, 1, 2}, {10, 20, 30}, "seed = 1\n"};
  std::ofstream file(path, std::ios::binary);
  recording.write(file, 3);
  file.close();
  CHECK(Recording::read(path, 3).config == recording.config);
  CHECK(Recording::read(path, 3).letters == recording.letters);
  CHECK(Recording::read(path, 3).steps == recording.steps);
  CHECK_THROWS_AS(Recording::read(path, 4), DataError);

  std::ostringstream stream;
  recording.write(stream, 3);
  const std::string bytes = stream.str();
  const auto put = [&path](const std::string& changed) {
    std::ofstream(path, std::ios::binary) << changed;
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 1;
    put(changed);
    CHECK_THROWS_AS(Recording::read(path, 3), DataError);
  }
  std::string earlier = bytes.substr(0, bytes.size() - sizeof(std::uint64_t));
  earlier[12] = '2';
  put(earlier);
  CHECK(Recording::read(path, 3).steps == recording.steps);
  put(bytes);

  fs::resize_file(path, fs::file_size(path) - 3);
  CHECK_THROWS_AS(Recording::read(path, 3), DataError);
  fs::resize_file(path, 16 + 4 + 2 * 3);
  CHECK_THROWS_AS(Recording::read(path, 3), DataError);
  std::ofstream(path) << "something else entirely";
  CHECK_THROWS_AS(Recording::read(path, 3), DataError);
  fs::remove(path);
  CHECK_THROWS_AS(Recording::read(path, 3), DataError);
}

TEST_CASE("an order.bin has what befell workers, and tells where each of their lives ended") {
  using Kind = Incident::Kind;
  const fs::path path =
      fs::temp_directory_path() / ("easgd_incidents_test_" + std::to_string(getpid()));
  Recording recording{{0, 1, 0, 1, 0, 1, 1}, {10, 20}, "seed = 1\n", {}};
  recording.incidents = {{2, 0, Kind::refused, 3},
                         {3, 1, Kind::began, 5},
                         {5, 1, Kind::began, 5},
                         {7, 0, Kind::gone, 9}};
  const auto written = [&] {
    std::ofstream file(path, std::ios::binary);
    recording.write(file, 2);
  };
  written();
  std::string first;
  std::getline(std::ifstream(path, std::ios::binary), first);
  CHECK(first == "easgd order 5");
  const Recording read = Recording::read(path, 2);
  CHECK(read.incidents == recording.incidents);
  CHECK(read.steps == recording.steps);
  CHECK(read.find(Kind::refused, 2) == &read.incidents[0]);
  CHECK(read.find(Kind::refused, 3) == nullptr);
  using Ends = std::vector<LifeEnd>;
  CHECK(read.lives() == std::vector<Ends>{{{3, 9, false}}, {{1, 5, true}, {0, 5, true}}});

  for (std::uintmax_t size = fs::file_size(path); size-- > 0;) {
    fs::resize_file(path, size);
    CHECK_THROWS_AS(Recording::read(path, 2), DataError);
  }
  const std::vector<Incident> sound = recording.incidents;
  for (const Incident& wrong : {Incident{2, 1, Kind::refused, 3},
                                {9, 0, Kind::refused, 3},
                                {2, 7, Kind::refused, 3},
                                {2, 0, Kind(9), 3},
                                {2, 0, Kind::gone, 3}}) {
    recording.incidents[0] = wrong;
    written();
    CHECK_THROWS_AS(Recording::read(path, 2), DataError);
  }
  recording.incidents = {sound[1], sound[0]};
  written();
  CHECK_THROWS_AS(Recording::read(path, 2), DataError);
  fs::remove(path);
}

TEST_CASE("a recording from before a key existed repeats, one of another value does not") {
  const Config config =
      parse_config("[[network.layer]]\ntype = \"softmax_cross_entropy\"\n", "test", {});
  const std::string here = dump_replay_config(config, false);
  const auto without = [](std::string text, const std::string& line) {
    const std::size_t at = text.find(line);
    REQUIRE(at != text.npos);
    return text.erase(at, line.size());
  };
  const std::string older = without(here, "test_limit = 0\n") + "\n[tree]\nfanout = 4\n";
  const Recording before{{}, {}, older};
  CHECK_NOTHROW(before.check_repeats(here, "order.bin"));
  const Recording other{{}, {}, "seed = 2\n" + without(here, "seed = 1\n")};
  CHECK_THROWS_WITH_AS(other.check_repeats(here, "order.bin"),
                       doctest::Contains("the recorded run had \"seed = 2\", this one has \"seed"),
                       KeyError);
  const Recording damaged{{}, {}, "seed = 1\nname = \"a\n"};
  CHECK_THROWS_WITH_AS(damaged.check_repeats(here, "runs/a/order.bin"),
                       doctest::Contains("runs/a/order.bin:2"), DataError);
}
