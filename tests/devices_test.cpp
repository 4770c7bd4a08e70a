// Who runs where, and who is told when one does not move.

#include "exchange/place_center.h"
#include "exchange/worker_placement.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/limits.h"
#include "base/usable_cores.h"
#include "exchange/watchdog.h"
#include "quadratic.h"

using namespace easgd;

namespace {

using Words = std::vector<std::string>;

std::vector<Placement> place(const Words& devices, std::int64_t threads = 0, bool single = false) {
  WorkersConfig workers;
  workers.devices = devices;
  workers.threads = threads;
  return place_workers(workers, single).placements;
}

template <class Kind>
std::string failure(const Words& devices, std::int64_t threads = 0, bool single = false) {
  try {
    place(devices, threads, single);
  } catch (const Kind& error) {
    return error.what();
  }
  return "no error of this kind";
}

const std::size_t kCores = usable_cores();

void check_threads(const std::vector<Placement>& places, std::size_t threads) {
  for (const Placement& p : places) CHECK(p.options.threads == int(threads));
}

}  // namespace

TEST_CASE(
    "devices: auto without a GPU is a worker a core, or one in all where the algorithm has one") {
  const auto places = place({"auto"});
  CHECK(places.size() == std::min(kCores, kMostAutoWorkers));
  for (const Placement& p : places) CHECK(p.name() == "cpu");
  check_threads(places, kCores / places.size());

  const auto single = place({"auto"}, 0, true);
  REQUIRE(single.size() == 1);
  check_threads(single, kCores);
}

TEST_CASE("devices: a list is a worker a word, and a word may come again") {
  CHECK(place({"cpu"}).size() == 1);
  check_threads(place({"cpu"}), kCores);
  const auto crowd = place(Words(kCores + 1, "cpu"));
  REQUIRE(crowd.size() == kCores + 1);
  for (const Placement& p : crowd) CHECK(p.name() == "cpu");
  check_threads(crowd, 1);
}

TEST_CASE("devices: workers share the cores, and have as many threads as they are told") {
  for (std::size_t workers = 1; workers <= kCores; ++workers) {
    CAPTURE(workers);
    const Words devices(workers, "cpu");
    check_threads(place(devices), kCores / workers);
    check_threads(place(devices, 1), 1);
    check_threads(place(devices, std::int64_t(kCores / workers)), kCores / workers);
  }
  check_threads(place(Words(kCores + 1, "cpu"), std::int64_t(kCores)), kCores);
}

TEST_CASE("devices: a word may stand for several workers") {
  CHECK(names_of(place_workers({.devices = {"3 x cpu"}}, false).placements) ==
        Words{"cpu", "cpu", "cpu"});
  CHECK(names_of(place_workers({.devices = {"1 x cpu", "cpu"}}, false).placements) ==
        Words{"cpu", "cpu"});
  for (const char* word : {"0 x cpu", "x cpu", "2x cpu", "2 x ", "-1 x cpu", "65534 x cpu"}) {
    CAPTURE(word);
    CHECK(failure<ConfigError>({word}).find(word) != std::string::npos);
  }
}

TEST_CASE("devices: more threads than cores, no worker, and too many are mistakes") {
  CHECK(failure<ConfigError>({"cpu"}, std::int64_t(kCores + 1)) ==
        "workers.threads: " + std::to_string(kCores + 1) + " is more than there is: " +
            describe_cores() + "; expected " + std::to_string(kCores) + " or less");
  CHECK(failure<ConfigError>({}).starts_with("workers.devices: is empty"));
  CHECK(failure<ConfigError>(Words(kMostWorkers + 1, "cpu")).find("more than 65533") !=
        std::string::npos);
}

TEST_CASE("devices: words that are no device are told, with what was meant") {
  for (const char* word : {"gpu", "", "CPU", "cpu:0", "cuda", "cuda:", "cuda:x", "cuda:-1", "-1",
                           "1.5", "1000", "cuda:1000"}) {
    CAPTURE(word);
    CHECK(failure<ConfigError>({"cpu", word})
              .starts_with(
                  "workers.devices: expected \"auto\", \"cpu\", or \"cuda:<n>\" or n of 0..999, "
                  "several in brackets or as \"4 x cpu\"; found \"" +
                  std::string(word) + "\""));
  }
  CHECK(failure<ConfigError>({"cuda0"}).ends_with("did you mean \"cuda:0\"?"));
  CHECK(failure<ConfigError>({"cpu", "auto"}) ==
        "workers.devices: \"auto\" stands alone, and chooses all of them");
}

TEST_CASE("devices: a center is on every worker's device only where that can be") {
  Config config;
  config.algorithm.name = "easgd";
  config.algorithm.exchange = Exchange::synchronous;
  const auto gpus = [](std::initializer_list<int> indices) {
    std::vector<Placement> places;
    for (const int index : indices) places.push_back({"cuda", {.index = index}});
    return places;
  };
  const auto complaint = [&config](const char* where, const std::vector<Placement>& workers) {
    config.center.place = where;
    try {
      return "none: " + place_center(config, workers).name;
    } catch (const KeyError& error) {
      return std::string(error.what());
    } catch (const DeviceError& error) {
      return "device: " + std::string(error.what());
    }
  };
  CHECK(complaint("auto", place({"cpu", "cpu"})) == "none: pinned");
  CHECK(complaint("auto", gpus({0, 0})) == "none: pinned");
  CHECK(complaint("workers", place({"cpu", "cpu"})) ==
        "center.place: \"workers\" needs two workers or more, each with a CUDA device of its own; "
        "found cpu cpu");
  for (const auto& workers : {gpus({0}), gpus({1, 1}), gpus({0, 1, 0})}) {
    CHECK(complaint("workers", workers).find("a CUDA device of its own") != std::string::npos);
  }
  config.algorithm.exchange = Exchange::asynchronous;
  CHECK(complaint("auto", gpus({0, 1})) == "none: pinned");
  CHECK(complaint("workers", gpus({0, 1})) ==
        "center.place: \"workers\" needs algorithm.exchange = \"synchronous\"");
  CHECK(
      complaint("workers", gpus({1, 1})) ==
      "center.place: \"workers\" needs algorithm.exchange = \"synchronous\", and needs two workers "
      "or more, each with a CUDA device of its own; found cuda:1 cuda:1");
  config.algorithm.name = "mdownpour";
  config.algorithm.exchange = Exchange::synchronous;
  CHECK(complaint("workers", gpus({0, 1})) ==
        "center.place: \"workers\" is not for mdownpour, whose center needs more of a round than a "
        "sum");
  CHECK(complaint("worker", gpus({0, 1})).ends_with("found \"worker\"; did you mean \"workers\"?"));
}

TEST_CASE("devices: a device that this program lacks is named") {
  if (Registry<BackendKind>::find("cuda")) {
    MESSAGE("skipped: this program has CUDA");
    return;
  }
  CHECK(failure<DeviceError>({"cuda:98"}).starts_with("cuda:98: no CUDA device"));
  CHECK(failure<DeviceError>({"cpu", "97"}).starts_with("cuda:97: no CUDA device"));
}

TEST_CASE("watchdog: complains once about who has not moved, never about who has ended") {
  quadratic::Toy toy;
  toy.workers = 2;
  toy.config.algorithm.name = "easgd";
  toy.config.algorithm.alpha = 0.1;
  toy.config.stop.steps = 1;
  toy.order = free_order;
  std::atomic<bool> stuck = true;
  toy.before_batch = [&](std::uint32_t worker, std::uint64_t) {
    if (worker == 1) stuck.wait(true);
  };
  const Buffer x0 = quadratic::start_vector(toy.count);
  const WorkerSchedule plan(toy.config, toy.workers, 1);
  Team team(toy.options(plan, x0));
  Watchdog hasty(0), patient(3600);
  team.start();
  while (team.telemetry(0).phase != Phase::ended) std::this_thread::yield();
  while (team.telemetry(1).phase != Phase::data) std::this_thread::yield();

  CHECK(hasty.look(team).empty());  // sees for the first time where they are
  const auto stalls = hasty.look(team);
  REQUIRE(stalls.size() == 1);
  CHECK(stalls[0].worker == 1);
  CHECK(stalls[0].text == "has been in \"data\" of step 0 for 0 s");
  CHECK(stalls[0].is_new);
  REQUIRE(hasty.look(team).size() == 1);
  CHECK_FALSE(hasty.look(team)[0].is_new);
  CHECK(patient.look(team).empty());
  CHECK(patient.look(team).empty());

  stuck = false;
  stuck.notify_one();
  team.join();
  Watchdog late(0);
  for (int i = 0; i < 3; ++i) {
    CHECK(hasty.look(team).empty());
    CHECK(late.look(team).empty());
  }
}

TEST_CASE("devices: a distance in host memory is the same for any number of threads") {
  constexpr std::size_t kCount = (1 << 20) + 77;
  std::vector<float> x(kCount), center(kCount);
  long double wanted = 0, length = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    x[i] = float(i % 1013) * 0.37f;
    center[i] = float(i % 771) * 0.11f;
    const long double here = x[i], difference = here - center[i];
    wanted += difference * difference;
    length += here * here;
  }
  std::vector<double> found;
  for (const int threads : {1, 2, 3}) {
    std::jthread([&] {  // whose team it is
      const auto backend = make_backend("cpu", {.threads = threads});
      const auto distance = [&](ConstView from, ConstView to) {
        backend->start_distance(from, to);
        return backend->squared_distance();
      };
      found.push_back(distance(x, center));
      CHECK(distance(x, {}) == doctest::Approx(double(length)).epsilon(1e-12));
      CHECK(distance({}, {}) == 0);
    })
        .join();
  }
  CHECK(found[0] == doctest::Approx(double(wanted)).epsilon(1e-12));
  CHECK(found == std::vector(3, found[0]));  // to the last bit
}

// Last, because what it loads stays.
TEST_CASE("devices: where there are no sums over devices the center is in host memory, and told") {
  Config config;
  config.algorithm.name = "easgd";
  config.algorithm.exchange = Exchange::synchronous;
  const CenterPlacement center =
      place_center(config, {{"cuda", {.index = 0}}, {"cuda", {.index = 1}}});
  CHECK(center.name == "pinned");
  CHECK(center.devices.size() == 1);
  CHECK(center.remark.ends_with("; letters are added up in host memory instead"));
}
