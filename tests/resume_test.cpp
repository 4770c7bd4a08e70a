// Is a checkpoint all of a run? A run on the toy that goes on from one, in a fixed order, ends in
// the bytes of the one that nothing has disturbed: for every algorithm, wherever it was cut short.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "changed_state.h"
#include "exchange/deposits.h"
#include "exchange/virtual_order.h"
#include "toy_of_method.h"

using namespace easgd;
using quadratic::Toy;

namespace {

struct End {
  std::vector<float> center;
  std::vector<std::uint16_t> order;
  std::vector<std::uint64_t> steps;
  std::uint64_t version = 0;
  std::vector<std::uint64_t> absorbed_steps = {}, letters = {};  // of each worker
  std::vector<Checkpoint> checkpoints = {};
  bool stopped = false;

  bool is_that_of(const End& other) const {
    return center == other.center && order == other.order && steps == other.steps &&
           version == other.version && absorbed_steps == other.absorbed_steps &&
           letters == other.letters;
  }
};

/// How a run is disturbed. Versions are counted from where it begins.
struct Course {
  const Checkpoint* from = nullptr;
  std::uint64_t stop_after = 0;            ///< versions; 0: it is not stopped
  std::uint64_t checkpoint_every = 0;      ///< versions; 0: none but that of a stop
  std::optional<std::uint64_t> lost = {};  ///< the letter of this version is not to be gone on from
};

/// `shown` is told of the team before it starts.
End run(const Toy& toy, const Course& course, Team** shown = nullptr) {
  const Buffer x0 = quadratic::start_vector(toy.count);
  const WorkerSchedule schedule(toy.config, toy.workers, 1);
  TeamOptions options = toy.options(schedule, x0);
  const std::uint64_t begin = course.from ? course.from->version : 0;
  Team* team = nullptr;
  End end;
  options.on_version = [&](const CenterView& center, double) {
    if (course.stop_after && center.version >= begin + course.stop_after) {
      team->request_stop();
      end.stopped = true;
    }
    return false;
  };
  options.on_loss = [&](double, std::uint64_t version) { return version == course.lost; };
  options.checkpoints = {.wanted = true, .resumed = course.from};
  options.checkpoints.is_due = [&](const CenterView& center, double) {
    const auto checkpoint = team->take_checkpoint();
    if (checkpoint) end.checkpoints.push_back(*checkpoint);
    return course.checkpoint_every && center.version % course.checkpoint_every == 0;
  };
  Team runs(std::move(options));
  team = &runs;
  if (shown) *shown = team;
  runs.start();
  runs.join();
  if (const auto checkpoint = runs.take_last_checkpoint()) end.checkpoints.push_back(*checkpoint);
  const CenterView last = runs.master().view();
  end.center.assign(last.center.begin(), last.center.end());
  end.order = runs.master().order();
  end.version = last.version;
  end.absorbed_steps.assign(last.steps.begin(), last.steps.end());
  for (std::size_t i = 0; i < toy.workers; ++i) {
    const WorkerTelemetry& t = runs.telemetry(i);
    end.steps.push_back(t.clock);
    end.letters.push_back(t.exchanges + t.refused);
  }
  return end;
}

/// Stops when a worker takes a batch for the first time that is `every` steps on, again and again.
End run_until_batches(Toy toy, std::uint64_t every) {
  std::optional<Checkpoint> from;
  std::vector<std::uint64_t> begun(toy.workers);
  while (true) {
    Team* team = nullptr;
    std::atomic<bool> stops = false;
    toy.before_batch = [&](std::uint32_t worker, std::uint64_t step) {
      if (worker == step % toy.workers && step >= begun[worker] + every && !stops.exchange(true)) {
        begun[worker] = step;
        team->request_stop();
      }
    };
    End end = run(toy, {.from = from ? &*from : nullptr}, &team);
    if (!stops) return end;
    from = end.checkpoints.back();
  }
}

/// Stops after so many versions, goes on from what the stop has left, stops again.
End run_in_pieces(const Toy& toy, std::uint64_t versions) {
  std::optional<Checkpoint> from;
  for (int piece = 0; piece < 1000; ++piece) {
    End end = run(toy, {.from = from ? &*from : nullptr, .stop_after = versions});
    if (!end.stopped) return end;
    REQUIRE(!end.checkpoints.empty());
    from = end.checkpoints.back();
  }
  FAIL("it never ends");
  return {};
}

constexpr std::int64_t kSteps = 13;

using MakeOrder = std::function<std::unique_ptr<OrderPolicy>()>;

constexpr VirtualTimes kTimes{
    .step_seconds = 1, .transfer_seconds = 0.3, .jitter = 0.4, .seed = 11};

/// A toy in each of the fixed orders that its algorithm allows.
struct Bed {
  explicit Bed(const std::string& name)
      : algorithm(Registry<Algorithm>::get(name)),
        toy(quadratic::toy_of_method(name, kSteps, 3)),
        schedule(toy.config, toy.workers, 1) {
    if (algorithm.exchange != Exchange::synchronous) {
      add(algorithm.timing == Timing::around ? round_robin_pairs : round_robin_order);
      add([this] { return virtual_order(schedule, algorithm, toy.workers, kTimes, false); });
      toy.order = free_order;
      recording.letters = run(toy, {}).order;
      add([this] { return replay_order(recording); });
    }
    if (algorithm.exchange != Exchange::asynchronous) {
      add(synchronous_order);
      add([this] { return virtual_order(schedule, algorithm, toy.workers, kTimes, true); });
    }
  }
  void add(MakeOrder order) { orders.push_back(std::move(order)); }

  const Algorithm& algorithm;
  Toy toy;
  WorkerSchedule schedule;
  Recording recording;
  std::vector<MakeOrder> orders;
};

/// Whenever the loss stands still.
void cut_rates(Toy& toy) {
  toy.config.algorithm.schedule.kind = ScheduleKind::plateau;
  toy.config.algorithm.schedule.window = 2;
}

}  // namespace

TEST_CASE("a run that is stopped once or often ends where the undisturbed one does") {
  for (const std::string& name : Registry<Algorithm>::names()) {
    CAPTURE(name);
    Bed bed(name);
    for (std::size_t order = 0; order < bed.orders.size(); ++order) {
      CAPTURE(order);
      bed.toy.order = bed.orders[order];
      const End undisturbed = run(bed.toy, {});
      for (const std::uint64_t versions : {1, 2, 3, 5, 11}) {
        CAPTURE(versions);
        CHECK(run_in_pieces(bed.toy, versions).is_that_of(undisturbed));
      }
      for (const std::uint64_t batches : {1, 2, 4}) {
        CAPTURE(batches);
        CHECK(run_until_batches(bed.toy, batches).is_that_of(undisturbed));
      }
    }
  }
}

TEST_CASE("a run that goes on from any checkpoint made on the way ends where that one did") {
  for (const std::string& name : Registry<Algorithm>::names()) {
    CAPTURE(name);
    Bed bed(name);
    for (std::size_t order = 0; order < bed.orders.size(); ++order) {
      CAPTURE(order);
      bed.toy.order = bed.orders[order];
      const End undisturbed = run(bed.toy, {.checkpoint_every = 1});
      REQUIRE(!undisturbed.checkpoints.empty());
      for (const Checkpoint& checkpoint : undisturbed.checkpoints) {
        CAPTURE(checkpoint.version);
        CHECK(run(bed.toy, {.from = &checkpoint}).is_that_of(undisturbed));
      }
    }
  }
}

TEST_CASE("a checkpoint whose parts do not fit the run or each other is refused") {
  Bed bed("eamsgd");
  cut_rates(bed.toy);
  bed.toy.order = bed.orders[0];
  const Checkpoint checkpoint = run(bed.toy, {.stop_after = 4}).checkpoints.back();
  const auto complaint_of = [&](const std::function<void(Checkpoint&)>& change) {
    Checkpoint other = checkpoint;
    change(other);
    try {
      run(bed.toy, {.from = &other});
      return std::string("nothing");
    } catch (const DataError& e) {
      return std::string(e.what());
    }
  };
  CHECK(complaint_of([](Checkpoint&) {}) == "nothing");
  CHECK(complaint_of([](Checkpoint& c) { c.sections.erase("rule"); }) == "has no section \"rule\"");
  const auto worker = [](Checkpoint& c) -> SavedState& { return c.sections.at("worker 0"); };
  CHECK(complaint_of([&](Checkpoint& c) { worker(c).vectors.at("v").pop_back(); }) ==
        "section \"worker 0\": \"v\": expected 8 values, found 7");
  CHECK(complaint_of([&](Checkpoint& c) {
          worker(c).counters.at("worker.next_exchange") = {0};
        }).starts_with("section \"worker 0\": \"worker.next_exchange\": expected "));
  CHECK(complaint_of([&](Checkpoint& c) {
          worker(c).counters.at("worker.clock") = {0};
        }).starts_with("section \"worker 0\": \"worker.clock\": expected "));
  CHECK(complaint_of([&](Checkpoint& c) { worker(c).counters.at("cuts.made") = {3}; }) ==
        "section \"worker 0\": \"cuts.made\": is more than the schedule has");
  CHECK(complaint_of([&](Checkpoint& c) {
          worker(c).counters.at("cuts.earlier.samples") = {~0ull};
        }) == "section \"worker 0\": \"cuts.earlier.samples\": is no number of samples");
  for (const auto& [section, name] : {std::pair{"worker 0", "worker.samples"},
                                      {"worker 0", "worker.hits"},
                                      {"center", "samples"},
                                      {"center", "hits"}}) {
    CAPTURE(name);
    CHECK(complaint_of([&](Checkpoint& c) {
            c.sections.at(section).counters.at(name) = {1ull << 62};
          }) == fmt::format("section \"{}\": \"{}\": is no number of samples", section, name));
  }
  for (const std::string section : {"center", "order"}) {
    CAPTURE(section);
    const std::string complaint = complaint_of([&](Checkpoint& c) { c.sections.at(section) = {}; });
    CHECK(complaint.starts_with(fmt::format("section \"{}\": has no \"", section)));
  }
}

TEST_CASE("in every replica a worker's whole time holds its parts") {
  Bed bed("eamsgd");
  bed.toy.order = bed.orders[0];
  bed.toy.before_batch = [](std::uint32_t, std::uint64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  const auto check_times = [&](const Checkpoint& checkpoint) {
    for (std::size_t i = 0; i < bed.toy.workers; ++i) {
      const auto& seconds = checkpoint.worker(i)->list("worker.seconds", 4);
      CHECK(seconds[0] > 0);
      CHECK(seconds[0] + seconds[1] + seconds[2] <= seconds[3]);
    }
  };
  const Checkpoint on_the_way = run(bed.toy, {.stop_after = 8}).checkpoints.back();
  check_times(on_the_way);
  const End end = run(bed.toy, {.from = &on_the_way, .checkpoint_every = 1});
  for (const Checkpoint& checkpoint : end.checkpoints) check_times(checkpoint);
}

TEST_CASE("a replay goes on only with the recording that the run has followed so far") {
  Bed bed("eamsgd");
  const auto replay = [&](const Recording& recording) {
    bed.toy.order = [recording] { return replay_order(recording); };
  };
  replay(bed.recording);
  const End cut = run(bed.toy, {.stop_after = 8});
  REQUIRE(cut.stopped);
  const Checkpoint& checkpoint = cut.checkpoints.back();
  const std::uint64_t done = checkpoint.get("order").counter("done");
  CHECK(run(bed.toy, {.from = &checkpoint}).order == bed.recording.letters);
  Recording shorter = bed.recording, other = bed.recording;
  shorter.letters.resize(done - 1);
  std::uint16_t& first = other.letters[0];
  first = first == 0 ? 1 : 0;
  for (const Recording& another : {shorter, other}) {
    replay(another);
    CHECK_THROWS_WITH_AS(run(bed.toy, {.from = &checkpoint}),
                         doctest::Contains("the recording does not begin as the run did"),
                         DataError);
  }
}

TEST_CASE("whatever a checkpoint says, whoever takes it up comes to an end or refuses it") {
  std::size_t refused = 0, ended = 0;
  for (const std::string name : {"eamsgd", "easgd_gauss_seidel", "easgd_tree", "allreduce"}) {
    CAPTURE(name);
    Bed bed(name);
    if (name == "eamsgd") cut_rates(bed.toy);
    for (std::size_t order = 0; order < bed.orders.size(); ++order) {
      CAPTURE(order);
      bed.toy.order = bed.orders[order];
      const Checkpoint sound = run(bed.toy, {.stop_after = 8}).checkpoints.back();
      for (const auto& [section, saved] : sound.sections) {
        const std::vector<testing::Change> changes = testing::changes_of(saved);
        for (std::size_t i = 0; i < changes.size(); ++i) {
          CAPTURE(section);
          CAPTURE(i);
          Checkpoint checkpoint = sound;
          changes[i](checkpoint.sections.at(section));
          try {
            run(bed.toy, {.from = &checkpoint});
            ++ended;
          } catch (const DataError&) {
            ++refused;
          }
        }
      }
    }
  }
  CHECK(refused > 1000);
  CHECK(ended > 1000);
}

namespace {

/// One value of a checkpoint, lost.
struct Loss {
  std::string section, name;
  std::function<void(SavedState&)> lose;
};

void lose_vector(std::vector<float>& values) {
  const bool was_zero = std::ranges::all_of(values, [](float value) { return value == 0; });
  std::ranges::fill(values, was_zero ? 1.0f : 0.0f);
}

/// What only tells people of the run, and is told anew at the next exchange.
bool only_tells(const std::string& name) {
  const auto names = {"worker.hits",  "worker.samples", "hits",     "samples",
                      "last_version", "steps",          "staleness"};
  return std::ranges::find(names, name) != names.end();
}

/// What is kept and never read again.
bool is_idle(const std::string& algorithm, const std::string& what) {
  const std::set<std::string> of_one_worker = {"order: turn", "order: visit"};
  if (of_one_worker.contains(what)) return Registry<Algorithm>::get(algorithm).single;
  // Where nothing fails: tests/failures_test.cpp has runs in which they are missed.
  if (what == "center: has_pulled" || what == "worker: worker.visits") return true;
  const std::multimap<std::string, std::string> idle = {
      {"allreduce", "worker: x"},           {"allreduce", "worker: u"},  // the reply comes before
      {"mdownpour", "worker: x"},           {"mdownpour", "worker: u"},  // every gradient
      {"easgd_tree", "rule: letters 1.0"},                               // a root has no parent
      {"eamsgd_tree", "rule: letters 1.0"}, {"mvasgd", "worker: changes"},
      {"mvadownpour", "rule: changes"},  // of a constant rate
  };
  const auto [begin, end] = idle.equal_range(algorithm);
  return std::any_of(begin, end, [&](const auto& entry) { return entry.second == what; });
}

/// Of each vector and counter that a checkpoint has.
std::vector<Loss> losses_of(const Checkpoint& checkpoint) {
  std::vector<Loss> losses;
  for (const auto& [section, saved] : checkpoint.sections) {
    for (const auto& [name, values] : saved.vectors) {
      if (values.empty() || only_tells(name)) continue;
      losses.push_back({section, name, [name](SavedState& s) { lose_vector(s.vectors.at(name)); }});
    }
    for (const auto& [name, values] : saved.counters) {
      if (only_tells(name)) continue;
      losses.push_back({section, name, [name](SavedState& s) {
                          for (auto& value : s.counters.at(name)) value = value == 0 ? 1 : 0;
                        }});
    }
  }
  return losses;
}

/// The run that goes on from a poorer checkpoint ends elsewhere, or says that it cannot.
bool is_seen(const Loss& loss, Checkpoint checkpoint, const Toy& toy, const End& undisturbed) {
  loss.lose(checkpoint.sections.at(loss.section));
  try {
    return !run(toy, {.from = &checkpoint}).is_that_of(undisturbed);
  } catch (const DataError&) {
    return true;
  }
}

}  // namespace

TEST_CASE("whatever a checkpoint keeps is missed if it is lost, for every algorithm") {
  for (const std::string& name : Registry<Algorithm>::names()) {
    CAPTURE(name);
    Bed bed(name);
    bed.toy.order = bed.orders[0];
    const End undisturbed = run(bed.toy, {.checkpoint_every = 1});
    std::vector<Checkpoint> checkpoints = undisturbed.checkpoints;
    for (const std::uint64_t versions : {2, 5}) {
      const End cut = run(bed.toy, {.stop_after = versions});
      if (cut.stopped) checkpoints.push_back(cut.checkpoints.back());
    }
    std::map<std::string, bool> seen;  // by section and name, wherever it was cut
    for (const Checkpoint& checkpoint : checkpoints) {
      for (const Loss& loss : losses_of(checkpoint)) {
        const bool is_of_worker = loss.section.starts_with("worker");
        bool& found = seen[(is_of_worker ? "worker" : loss.section) + ": " + loss.name];
        found = found || is_seen(loss, checkpoint, bed.toy, undisturbed);
      }
    }
    CHECK(seen.size() > 4);
    for (const auto& [what, was_seen] : seen) {
      CAPTURE(what);
      CHECK(was_seen != is_idle(name, what));
    }
  }
}

TEST_CASE("a worker that has failed is gone from a run that goes on, too") {
  Bed bed("eamsgd");
  bed.toy.order = bed.orders[0];
  bed.toy.before_batch = [](std::uint32_t worker, std::uint64_t step) {
    if (worker == 1 && step == 5) throw DataError("gone");
  };
  const End cut = run(bed.toy, {.stop_after = 12});
  REQUIRE(cut.stopped);
  const Checkpoint& checkpoint = cut.checkpoints.back();
  CHECK(checkpoint.worker(0));
  bed.toy.before_batch = {};
  CHECK(run(bed.toy, {.from = &checkpoint}).steps == std::vector<std::uint64_t>{kSteps, 5, kSteps});
}

TEST_CASE("a worker of which a checkpoint has nothing starts again from the center") {
  Bed bed("eamsgd");
  bed.toy.order = bed.orders[0];
  End cut = run(bed.toy, {.stop_after = 12});
  Checkpoint& checkpoint = cut.checkpoints.back();
  checkpoint.sections.erase("worker 1");
  CHECK(run(bed.toy, {.from = &checkpoint}).steps == std::vector<std::uint64_t>(3, kSteps));
}

TEST_CASE("the newest checkpoint that is whole can be taken while others begin") {
  Deposits deposits(2);
  const auto lay_down = [&deposits](std::uint64_t mark) {
    for (std::size_t worker : {0, 1}) deposits.lay_down({.worker = worker}, mark, {});
  };
  lay_down(deposits.begin({.version = 3}));
  lay_down(deposits.begin({.version = 5}));
  deposits.begin({.version = 7});  // never whole
  const std::uint64_t mark = deposits.begin({.version = 9, .is_last = true});
  CHECK_FALSE(deposits.take_last());
  CHECK(deposits.take().value().version == 5);
  CHECK_FALSE(deposits.take());
  lay_down(mark);
  CHECK(deposits.take_last().value().version == 9);
  lay_down(deposits.begin({.version = 11}));
  lay_down(deposits.begin({.version = 12}));
  CHECK(deposits.take().value().version == 12);
  CHECK_FALSE(deposits.take());
}

TEST_CASE(
    "a checkpoint is given up over a letter that nobody is to go on from, unless it has it not") {
  Deposits deposits(2);
  const std::uint64_t mark = deposits.begin({.version = 3});
  deposits.lay_down({.worker = 0}, mark, {});
  deposits.spoil(0);  // its letter after the one that it has laid down
  deposits.lay_down({.worker = 1}, mark, {});
  CHECK(deposits.take().value().version == 3);
  const std::uint64_t next = deposits.begin({.version = 5});
  deposits.lay_down({.worker = 0}, next, {});
  deposits.spoil(1);
  deposits.lay_down({.worker = 1}, next, {});
  CHECK_FALSE(deposits.take());
  const std::uint64_t last = deposits.begin({.version = 7, .is_last = true});
  deposits.spoil(1);
  for (std::size_t worker : {0, 1}) deposits.lay_down({.worker = worker}, last, {});
  CHECK(deposits.take_last().value().version == 7);
}

TEST_CASE("no checkpoint has a letter that is lost, and others are made before and after it") {
  Toy toy = quadratic::toy_of_method("easgd", kSteps, 3);
  toy.order = round_robin_order;
  std::size_t before = 0, after = 0;
  for (std::uint64_t lost = 4; lost < 13; ++lost) {
    CAPTURE(lost);
    const End end = run(toy, {.checkpoint_every = 1, .lost = lost});
    for (const Checkpoint& checkpoint : end.checkpoints) {
      if (checkpoint.is_last) continue;
      // The next letters of the three workers.
      const bool has_it = checkpoint.version <= lost && lost < checkpoint.version + 3;
      CHECK_FALSE(has_it);
      ++(checkpoint.version < lost ? before : after);
    }
  }
  CHECK(before > 0);
  CHECK(after > 0);
}
