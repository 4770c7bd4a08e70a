// What comes after a worker's failure: it is gone, begins again or ends the run, and a replay, or a
// run that goes on from a checkpoint, ends in the same bytes.

#include <doctest/doctest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"
#include "exchange/virtual_order.h"
#include "exchange/watchdog.h"
#include "toy_of_method.h"
#include "train/faulty_model.h"

using namespace easgd;
using quadratic::Toy;

namespace easgd {

std::ostream& operator<<(std::ostream& out, const Incident& i) {
  return out << "{" << i.at << ", " << i.worker << ", " << int(i.kind) << ", " << i.clock << "}";
}

}  // namespace easgd

namespace {

constexpr std::int64_t kSteps = 30;
constexpr VirtualTimes kTimes{
    .step_seconds = 1, .transfer_seconds = 0.3, .jitter = 0.4, .seed = 11};

using After = WorkerFailure::After;

struct End {
  std::vector<float> center;
  Recording recording;
  std::vector<std::uint64_t> steps;
  std::vector<Checkpoint> checkpoints = {};
  std::size_t failed = 0, restarts = 0;
  std::string error = {};
  bool stopped = false;
};

void check_same(const End& end, const End& other) {
  CHECK(end.center == other.center);
  CHECK(end.recording.letters == other.recording.letters);
  CHECK(end.recording.incidents == other.recording.incidents);
  CHECK(end.steps == other.steps);
}

/// A run that was cut short and went on tells what one that was not tells.
void check_goes_on_to(const End& end, const End& undisturbed) {
  check_same(end, undisturbed);
  CHECK(end.restarts == undisturbed.restarts);
}

/// How a run is disturbed. Versions are counted from where it begins.
struct Course {
  const Checkpoint* from = nullptr;
  std::uint64_t stop_after = 0;        ///< versions; 0: it is not stopped
  std::uint64_t checkpoint_every = 0;  ///< versions; 0: none but that of a stop
  std::uint64_t checkpoint_at = 0;     ///< the same, of one more
  const Recording* replayed = nullptr;
  std::function<void(Team&)> during = {};
};

End run(const Toy& toy, const Course& course) {
  const Buffer x0 = quadratic::start_vector(toy.count);
  WorkerSchedule schedule(toy.config, toy.workers, 1);
  if (course.replayed) {
    schedule.set_steps(course.replayed->steps);
    schedule.set_lives(course.replayed->lives());
  }
  TeamOptions options = toy.options(schedule, x0);
  const std::uint64_t begin = course.from ? course.from->version : 0;
  Team* team = nullptr;
  End end;
  options.on_version = [&](const CenterView& center, double) {
    if (toy.on_version) toy.on_version(center);
    if (course.stop_after && center.version >= begin + course.stop_after) {
      team->request_stop();
      end.stopped = true;
    }
    return false;
  };
  options.checkpoints = {.wanted = true, .resumed = course.from};
  options.checkpoints.is_due = [&](const CenterView& center, double) {
    if (auto checkpoint = team->take_checkpoint()) end.checkpoints.push_back(*checkpoint);
    const bool is_one = course.checkpoint_at > 0 && center.version == begin + course.checkpoint_at;
    return is_one || (course.checkpoint_every && center.version % course.checkpoint_every == 0);
  };
  Team runs(std::move(options));
  team = &runs;
  try {
    runs.start();
    if (course.during) course.during(runs);
    runs.join();
  } catch (const std::exception& e) {
    end.error = e.what();
  }
  if (auto checkpoint = runs.take_last_checkpoint()) end.checkpoints.push_back(*checkpoint);
  const CenterView last = runs.master().view();
  end.center.assign(last.center.begin(), last.center.end());
  end.recording = runs.recording();
  end.steps = end.recording.steps;
  end.failed = runs.failed();
  end.restarts = runs.restarts();
  return end;
}

/// Puts the faults into the toy's workers.
void inject(Toy& toy, const std::vector<std::string>& sentences) {
  const std::vector<Fault> all = parse_faults(sentences);
  toy.change = [all](TeamOptions& options) {
    for (std::size_t i = 0; i < options.workers.size(); ++i) {
      std::vector<Fault> own = all;
      std::erase_if(own, [i](const Fault& fault) { return fault.worker != i; });
      options.workers[i].faults = [own](Backend& backend, std::unique_ptr<Model> model,
                                        std::optional<std::uint64_t> began) {
        return with_faults(own, backend, std::move(model), began);
      };
    }
  };
}

using MakeOrder = std::function<std::unique_ptr<OrderPolicy>()>;

/// A toy of three workers in each of the orders that its algorithm allows; the first is free if it
/// may be asynchronous.
struct Bed {
  explicit Bed(const std::string& name, std::int64_t tau = 2)
      : algorithm(Registry<Algorithm>::get(name)), toy(quadratic::toy_of_method(name, kSteps, 3)) {
    if (!algorithm.every_step) toy.config.algorithm.tau = tau;
    toy.policy.on_failure = OnFailure::restart;
    schedule.emplace(toy.config, toy.workers, 1);
    if (algorithm.exchange != Exchange::synchronous) {
      orders.push_back(free_order);
      orders.push_back(algorithm.timing == Timing::around ? round_robin_pairs : round_robin_order);
      orders.push_back(
          [this] { return virtual_order(*schedule, algorithm, toy.workers, kTimes, false); });
    }
    if (algorithm.exchange != Exchange::asynchronous) {
      orders.push_back(synchronous_order);
      orders.push_back(
          [this] { return virtual_order(*schedule, algorithm, toy.workers, kTimes, true); });
    }
  }
  bool is_free(std::size_t order) const {
    return order == 0 && algorithm.exchange != Exchange::synchronous;
  }

  const Algorithm& algorithm;
  Toy toy;
  std::optional<WorkerSchedule> schedule;
  std::vector<MakeOrder> orders;
};

std::vector<std::string> algorithms_that_begin_again() {
  std::vector<std::string> names;
  for (const std::string& name : Registry<Algorithm>::names()) {
    if (Registry<Algorithm>::get(name).begins_again) names.push_back(name);
  }
  return names;
}

bool all_finite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

const std::vector<std::string> kFaults = {
    "worker 0 throws at step 7", "worker 0 sends NaN at step 13",
    "worker 0 runs out of memory at step 14", "worker 1 loses its device at step 0",
    "worker 2 throws every 11 steps"};

}  // namespace

TEST_CASE("a worker that fails begins again from the center, at its own clock") {
  for (const std::string& name : algorithms_that_begin_again()) {
    CAPTURE(name);
    Bed bed(name);
    inject(bed.toy, kFaults);
    for (std::size_t order = 0; order < bed.orders.size(); ++order) {
      CAPTURE(order);
      bed.toy.order = bed.orders[order];
      const End end = run(bed.toy, {});
      CHECK(end.error == "");
      CHECK(end.failed == 0);
      CHECK(end.restarts == std::size_t(bed.algorithm.single ? 2 : 5));
      CHECK(end.steps == std::vector<std::uint64_t>(bed.toy.workers, kSteps));
      CHECK(all_finite(end.center));
      if (!bed.is_free(order)) check_same(run(bed.toy, {}), end);
    }
  }
}

TEST_CASE("a replay of failures and restarts ends in the same bytes, and no fault is injected") {
  for (const std::string& name : algorithms_that_begin_again()) {
    CAPTURE(name);
    Bed bed(name);
    if (bed.algorithm.exchange == Exchange::synchronous) continue;
    for (const OnFailure policy : {OnFailure::restart, OnFailure::go_on}) {
      CAPTURE(int(policy));
      bed.toy.policy.on_failure = policy;
      for (std::size_t order = 0; order < 3; ++order) {
        CAPTURE(order);
        bed.toy.order = bed.orders[order];
        inject(bed.toy, kFaults);
        const End recorded = run(bed.toy, {});
        const std::size_t gone = policy == OnFailure::go_on ? bed.toy.workers : 0;
        CHECK(recorded.failed == gone);
        Toy calm = bed.toy;
        calm.change = {};
        calm.order = [&] { return replay_order(recorded.recording); };
        const End replayed = run(calm, {.replayed = &recorded.recording});
        CHECK(replayed.error == "");
        CHECK(replayed.restarts == 0);
        check_same(replayed, recorded);
      }
    }
  }
}

TEST_CASE("a run with failures that is cut short ends in the bytes of one that was not") {
  for (const std::string& name : algorithms_that_begin_again()) {
    CAPTURE(name);
    Bed bed(name, 3);
    for (const OnFailure policy : {OnFailure::restart, OnFailure::go_on}) {
      bed.toy.policy.on_failure = policy;
      inject(bed.toy, policy == OnFailure::restart
                          ? kFaults
                          : std::vector<std::string>{"worker 1 throws at step 8"});
      for (std::size_t order = bed.is_free(0) ? 1 : 0; order < bed.orders.size(); ++order) {
        CAPTURE(order);
        bed.toy.order = bed.orders[order];
        const End undisturbed = run(bed.toy, {.checkpoint_every = 1});
        REQUIRE(!undisturbed.checkpoints.empty());
        for (const Checkpoint& checkpoint : undisturbed.checkpoints) {
          CAPTURE(checkpoint.version);
          check_goes_on_to(run(bed.toy, {.from = &checkpoint}), undisturbed);
        }
        std::optional<Checkpoint> from;
        End piece = run(bed.toy, {.stop_after = 4});
        while (piece.stopped) {
          from = piece.checkpoints.back();
          piece = run(bed.toy, {.from = &*from, .stop_after = 4});
        }
        check_goes_on_to(piece, undisturbed);
      }
    }
  }
}

TEST_CASE("a worker that fails at once whenever it begins again is gone after three times") {
  for (const char* sentence :
       {"worker 1 throws from step 9 to 1000", "worker 1 runs out of memory from step 9 to 1000"}) {
    for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
      Bed bed(name);
      inject(bed.toy, {sentence});
      for (std::size_t order = 0; order < bed.orders.size(); ++order) {
        CAPTURE(name);
        CAPTURE(order);
        bed.toy.order = bed.orders[order];
        std::vector<WorkerFailure> failures;
        bed.toy.on_worker_failure = [&](const WorkerFailure& failure) {
          failures.push_back(failure);
        };
        const End end = run(bed.toy, {});
        CHECK(end.error == "");
        CHECK(end.failed == 1);
        CHECK(end.restarts == Team::kMostInVain);
        REQUIRE(failures.size() == Team::kMostInVain + 1);
        CHECK(failures.front().after == After::begins_again);
        CHECK(failures.back().after == After::is_gone);
        CHECK(failures.back().step == 9);
        CHECK(failures.back().why.find("; it has begun again 3 times in vain") !=
              std::string::npos);
        CHECK(end.steps == std::vector<std::uint64_t>{kSteps, 9, kSteps});
      }
    }
  }
}

TEST_CASE(
    "a worker whose letters are not finite again and again has failed, if that is asked for") {
  Bed bed("eamsgd", 1);
  inject(bed.toy, {"worker 1 sends NaN from step 10 to 20"});
  bed.toy.policy.on_failure = OnFailure::go_on;
  for (const MakeOrder& order : bed.orders) {
    bed.toy.order = order;
    bed.toy.policy.refusals = 0;
    const End borne = run(bed.toy, {});
    CHECK(borne.failed == 0);
    bed.toy.policy.refusals = 3;
    std::string why;
    bed.toy.on_failure = [&](int worker, const std::string& text) {
      why = std::to_string(worker) + ": " + text;
    };
    const End end = run(bed.toy, {});
    CHECK(why == "1: its last 3 letters of new steps were not finite");
    CHECK(end.failed == 1);
    CHECK(end.steps[1] < 20);
  }
}

TEST_CASE(
    "where every worker is gone, the run has failed; on_failure = stop ends it at the first") {
  for (std::size_t order = 0; order < Bed("eamsgd").orders.size(); ++order) {
    CAPTURE(order);
    Bed bed("eamsgd");
    bed.toy.order = bed.orders[order];
    inject(bed.toy, {"worker 0 throws from step 5 to 99", "worker 1 throws from step 5 to 99",
                     "worker 2 throws from step 5 to 99"});
    std::vector<After> ends;
    bed.toy.on_worker_failure = [&](const WorkerFailure& failure) {
      if (failure.after != After::begins_again) ends.push_back(failure.after);
    };
    const End all = run(bed.toy, {});
    CHECK(all.error.find("debug.fail: worker") != std::string::npos);
    CHECK(all.failed == 3);
    CHECK(ends == std::vector{After::is_gone, After::is_gone, After::run_ends});
    // Whoever goes on has them again.
    REQUIRE(!all.checkpoints.empty());
    bed.toy.change = {};
    const End again = run(bed.toy, {.from = &all.checkpoints.back()});
    CHECK(again.error == "");
    CHECK(again.steps == std::vector<std::uint64_t>(3, kSteps));

    bed.toy.policy.on_failure = OnFailure::stop;
    bed.toy.config.stop.steps = 1'000'000'000;
    bed.schedule.emplace(bed.toy.config, bed.toy.workers, 1);
    inject(bed.toy, {"worker 1 throws at step 50"});
    const End stopped = run(bed.toy, {});
    CHECK(stopped.error == "debug.fail: worker 1 throws at step 50");
    CHECK(stopped.failed == 1);
    REQUIRE(!stopped.checkpoints.empty());
    CHECK_FALSE(stopped.checkpoints.back().worker(1));
  }
}

namespace {

/// Something that happens once, and that others wait for.
class Signal {
 public:
  void give() {
    given_ = true;
    given_.notify_all();
  }
  void wait() const { given_.wait(false); }

 private:
  std::atomic<bool> given_{false};
};

/// Gives a signal when its thread is over.
struct ThreadEnd {
  Signal* signal = nullptr;
  ~ThreadEnd() {
    if (signal) signal->give();
  }
};

/// A worker that stands still in a step until it is let go.
class Standstill {
 public:
  Standstill(Toy& toy, std::uint32_t worker, std::uint64_t step) {
    toy.after_gradient = [this, worker, step](std::uint32_t w, std::uint64_t s, View) {
      if (w != worker || s != step || has_stood_.exchange(true)) return;
      thread_local ThreadEnd end;
      end.signal = &ended_;
      stands_.give();
      free_.wait();
      if (throws) throw std::runtime_error("fell over");
    };
  }
  void wait() const { stands_.wait(); }
  void let_go() { free_.give(); }
  void wait_for_end() const { ended_.wait(); }

  bool throws = false;  ///< once it is let go

 private:
  std::atomic<bool> has_stood_{false};
  Signal stands_, free_, ended_;
};

/// As soon as its letter is answered.
void give_up(Team& team, std::size_t worker) {
  while (!team.give_up(worker, "stands still")) std::this_thread::yield();
}

}  // namespace

TEST_CASE("a worker that stands still is given up, and nobody waits for it any more") {
  for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    Bed free_bed(name);
    for (std::size_t order = 0; order < free_bed.orders.size(); ++order) {
      for (const OnFailure policy : {OnFailure::go_on, OnFailure::restart, OnFailure::stop}) {
        for (const bool comes_late : {false, true}) {
          CAPTURE(name);
          CAPTURE(order);
          CAPTURE(int(policy));
          Bed bed(name);
          bed.toy.order = bed.orders[order];
          bed.toy.policy.on_failure = policy;
          Standstill standstill(bed.toy, 1, 8);
          const auto during = [&](Team& team) {
            standstill.wait();
            give_up(team, 1);
            if (policy != OnFailure::restart) CHECK_FALSE(team.give_up(1, "again"));
            if (comes_late) {
              while (!team.ended()) std::this_thread::yield();
            }
            standstill.let_go();
          };
          const End end = run(bed.toy, {.during = during});
          const bool restarts = policy == OnFailure::restart;
          CHECK(end.failed == std::size_t(restarts ? 0 : 1));
          CHECK(end.restarts == std::size_t(restarts ? 1 : 0));
          CHECK(all_finite(end.center));
          if (policy == OnFailure::stop) {
            CHECK(end.error == "worker 1: stands still");
          } else {
            CHECK(end.error == "");
            CHECK(end.steps[0] == kSteps);
            CHECK(end.steps[1] == std::uint64_t(restarts ? kSteps : 8));
          }
          if (bed.algorithm.exchange == Exchange::synchronous || order > 2) continue;
          if (policy == OnFailure::stop) continue;
          Toy calm = bed.toy;
          calm.after_gradient = {};
          calm.order = [&] { return replay_order(end.recording); };
          check_same(run(calm, {.replayed = &end.recording}), end);
        }
      }
    }
  }
}

TEST_CASE("checkpoints in free order do without a worker that stands still, until it moves") {
  for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    CAPTURE(name);
    Bed bed(name);
    bed.toy.order = bed.orders[0];
    Standstill standstill(bed.toy, 1, 8);
    Signal noted;
    bed.toy.after_gradient = [&, stand = bed.toy.after_gradient](
                                 std::uint32_t worker, std::uint64_t step, View gradient) {
      if (worker != 1 && step == 10) noted.wait();
      stand(worker, step, gradient);
    };
    const auto during = [&](Team& team) {
      standstill.wait();
      team.note_still(1, true);
      noted.give();
      for (const std::size_t other : {0, 2}) {
        while (team.telemetry(other).phase != Phase::ended) std::this_thread::yield();
      }
      team.note_still(1, false);
      standstill.let_go();
    };
    const End end = run(bed.toy, {.checkpoint_every = 1, .during = during});
    CHECK(end.steps == std::vector<std::uint64_t>(3, kSteps));
    std::size_t without = 0;
    for (const Checkpoint& checkpoint : end.checkpoints) {
      if (!Worker::begins_in(checkpoint, 1)) continue;
      ++without;
      CHECK(Worker::life_in(checkpoint, 1)->step == 8);
      CHECK_FALSE(Worker::begins_in(checkpoint, 0));
      Bed later(name);
      later.toy.order = later.orders[0];
      const End rest = run(later.toy, {.from = &checkpoint});
      CHECK(rest.error == "");
      CHECK(rest.steps == std::vector<std::uint64_t>(3, kSteps));
      CHECK(rest.failed == 0);
    }
    CHECK(without > 1);
  }
}

TEST_CASE(
    "a run that is to end leaves behind who does not move, and has it again when it goes on") {
  for (const OnFailure policy : {OnFailure::go_on, OnFailure::restart, OnFailure::stop}) {
    CAPTURE(int(policy));
    Bed bed("eamsgd");
    bed.toy.order = bed.orders[0];
    bed.toy.policy.on_failure = policy;
    Standstill standstill(bed.toy, 1, 8);
    std::vector<After> told;
    const auto change = bed.toy.change;
    bed.toy.change = [&](TeamOptions& options) {
      options.on_failure = [&](const WorkerFailure& f, double) { told.push_back(f.after); };
    };
    const auto during = [&](Team& team) {
      standstill.wait();
      team.request_stop();
      CHECK_FALSE(team.leave_behind(1, "stands still", &team.telemetry(0)));
      while (!team.leave_behind(1, "stands still", &team.telemetry(1))) std::this_thread::yield();
      CHECK(team.left_behind() == 1);
      while (!team.ended()) std::this_thread::yield();
      standstill.let_go();
    };
    const End end = run(bed.toy, {.during = during});
    CHECK(end.error == "");
    CHECK(end.failed == 0);
    CHECK(told == std::vector{After::is_left_behind});
    REQUIRE(end.checkpoints.size() == 1);
    const Checkpoint& last = end.checkpoints.back();
    CHECK(last.is_last);
    CHECK(Worker::life_in(last, 1)->step == 8);
    Bed later("eamsgd");
    later.toy.order = later.orders[0];
    later.toy.policy.on_failure = policy;
    const End rest = run(later.toy, {.from = &last});
    CHECK(rest.error == "");
    CHECK(rest.steps == std::vector<std::uint64_t>(3, kSteps));
  }
}

TEST_CASE(
    "in a fixed order no checkpoint made on the way has whoever was left behind begin again") {
  for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    for (const std::uint64_t step : {8, 9, 10, 11}) {
      CAPTURE(name);
      CAPTURE(step);
      Bed bed(name);
      bed.toy.order = bed.orders[1];
      Standstill standstill(bed.toy, 1, step);
      std::vector<Checkpoint> made;
      const auto during = [&](Team& team) {
        standstill.wait();
        while (!team.is_waiting(0) || !team.is_waiting(2)) std::this_thread::yield();
        team.request_stop();
        while (!team.leave_behind(1, "stands still", &team.telemetry(1))) std::this_thread::yield();
        while (!team.ended()) std::this_thread::yield();
        if (auto checkpoint = team.take_checkpoint()) made.push_back(*std::move(checkpoint));
        standstill.let_go();
      };
      const End end = run(bed.toy, {.checkpoint_every = 1, .during = during});
      for (const Checkpoint& checkpoint : end.checkpoints) made.push_back(checkpoint);
      std::erase_if(made, &Checkpoint::is_last);
      CHECK(made.size() > 1);
      for (const Checkpoint& checkpoint : made) CHECK_FALSE(Worker::begins_in(checkpoint, 1));
    }
  }
}

TEST_CASE("whoever was given up and comes back leaves nothing in later checkpoints") {
  for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    const std::size_t orders = Bed(name).orders.size();
    for (std::size_t order = 0; order < orders; ++order) {
      for (const OnFailure policy : {OnFailure::go_on, OnFailure::restart}) {
        CAPTURE(name);
        CAPTURE(order);
        CAPTURE(int(policy));
        Bed bed(name);
        bed.toy.order = bed.orders[order];
        bed.toy.policy.on_failure = policy;
        Standstill standstill(bed.toy, 1, 9);  // without an exchange where tau is 2
        Signal gate;
        bed.toy.before_batch = [&](std::uint32_t worker, std::uint64_t step) {
          if (worker != 1 && step == 12) gate.wait();
        };
        std::atomic<std::uint64_t> version = 0, late = 0;
        bed.toy.on_version = [&](const CenterView& center) { version = center.version; };
        const auto during = [&](Team& team) {
          standstill.wait();
          give_up(team, 1);
          standstill.let_go();
          standstill.wait_for_end();
          late = version.load();
          gate.give();
        };
        const End end = run(bed.toy, {.checkpoint_every = 1, .during = during});
        std::size_t checked = 0;
        for (const Checkpoint& checkpoint : end.checkpoints) {
          if (checkpoint.version <= late) continue;
          ++checked;
          CAPTURE(checkpoint.version);
          const End again = run(bed.toy, {.from = &checkpoint});
          CHECK(again.error == "");
          CHECK(again.steps == end.steps);
          CHECK(again.restarts == end.restarts);
          if (!bed.is_free(order)) check_same(again, end);
        }
        CHECK(checked > 0);
      }
    }
  }
}

TEST_CASE("a checkpoint that is given up with a worker is begun again at once") {
  for (const OnFailure policy : {OnFailure::go_on, OnFailure::restart}) {
    std::size_t later = 0;
    for (std::uint64_t due = 6; due <= 15; ++due) {  // about the step in which it stands still
      CAPTURE(int(policy));
      CAPTURE(due);
      Bed bed("eamsgd");
      bed.toy.order = bed.orders[1];
      bed.toy.policy.on_failure = policy;
      Standstill standstill(bed.toy, 1, 8);
      const auto during = [&](Team& team) {
        standstill.wait();
        // The others wait for its turn, and its letter of this step is answered.
        while (!team.is_waiting(0) || !team.is_waiting(2) || team.is_waiting(1)) {
          std::this_thread::yield();
        }
        give_up(team, 1);
        standstill.let_go();
      };
      const End end = run(bed.toy, {.checkpoint_at = due, .during = during});
      REQUIRE(end.checkpoints.size() == 2);
      CHECK(end.checkpoints.back().is_last);
      const Checkpoint& made = end.checkpoints.front();
      CHECK(made.version >= due);
      CHECK(made.version <= 17);          // the 16th is the last that comes before its turn
      if (made.version == due) continue;  // it was whole before
      ++later;
      check_same(run(bed.toy, {.from = &made}), end);
    }
    CHECK(later > 0);
  }
}

TEST_CASE("patience with an heir is as long as with the one whose place it takes") {
  Bed bed("eamsgd");
  bed.toy.order = free_order;
  std::atomic<int> standing = 0;
  Signal free;
  bed.toy.after_gradient = [&](std::uint32_t worker, std::uint64_t step, View) {
    if (worker != 1 || step != 9) return;
    ++standing;
    free.wait();
  };
  const auto during = [&](Team& team) {
    Watchdog patience(0);
    const auto has_lost_it = [&] {
      const auto stalls = patience.look(team);
      return std::ranges::count(stalls, 1u, &Watchdog::Stall::worker) > 0;
    };
    while (standing < 1) std::this_thread::yield();
    CHECK_FALSE(has_lost_it());
    CHECK(has_lost_it());
    give_up(team, 1);
    while (standing < 2) std::this_thread::yield();
    CHECK_FALSE(has_lost_it());
    CHECK(has_lost_it());
    free.give();
  };
  CHECK(run(bed.toy, {.during = during}).restarts == 1);
}

TEST_CASE("a failure that ends the run is heard of before anybody passes over its worker") {
  for (const bool is_given_up : {false, true}) {
    CAPTURE(is_given_up);
    for (int i = 0; i < 20; ++i) {
      Bed bed("eamsgd", 1);
      bed.toy.order = round_robin_order;
      bed.toy.policy.on_failure = OnFailure::stop;
      Standstill standstill(bed.toy, 1, 9);
      standstill.throws = !is_given_up;
      const auto during = [&](Team& team) {
        standstill.wait();
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the others wait for it now
        if (is_given_up) give_up(team, 1);
        standstill.let_go();
      };
      const End end = run(bed.toy, {.during = during});
      CHECK(end.failed == 1);
      REQUIRE(!end.checkpoints.empty());
      CHECK(end.checkpoints.back().is_last);
      // Ten letters of each worker, and the eleventh of the first.
      CHECK(end.checkpoints.back().version <= 31);
      CHECK_FALSE(end.checkpoints.back().worker(1));
    }
  }
}

TEST_CASE("a worker that fails after a stop was asked for begins again when the run goes on") {
  for (std::size_t order = 0; order < Bed("eamsgd").orders.size(); ++order) {
    CAPTURE(order);
    Bed bed("eamsgd");
    bed.toy.order = bed.orders[order];
    Standstill standstill(bed.toy, 1, 9);
    standstill.throws = true;
    std::optional<After> after;
    bed.toy.on_worker_failure = [&](const WorkerFailure& failure) { after = failure.after; };
    const End end = run(bed.toy, {.during = [&](Team& team) {
                          standstill.wait();
                          team.request_stop();
                          standstill.let_go();
                        }});
    CHECK(after == After::run_ends);
    CHECK(end.restarts == 0);
    REQUIRE(!end.checkpoints.empty());
    const End again = run(bed.toy, {.from = &end.checkpoints.back()});
    CHECK(again.error == "");
    CHECK(again.failed == 0);
    CHECK(again.restarts == 1);
    CHECK(again.steps == std::vector<std::uint64_t>(3, kSteps));
  }
}

namespace {

/// While it lives, the system has no memory for the stack of a new thread.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&usual_);
    pthread_attr_t attributes = usual_;
    pthread_attr_setstacksize(&attributes, std::size_t(1) << 48);
    pthread_setattr_default_np(&attributes);
  }
  ~NoThreads() { pthread_setattr_default_np(&usual_); }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t usual_;
};

}  // namespace

TEST_CASE("a worker for whom there is no thread to begin again with is gone, and that is told") {
  Bed bed("eamsgd");
  for (const MakeOrder& order : bed.orders) {
    bed.toy.order = order;
    std::optional<NoThreads> no_threads;
    bed.toy.after_gradient = [&](std::uint32_t worker, std::uint64_t step, View) {
      if (worker != 1 || step != 9) return;
      no_threads.emplace();
      throw std::runtime_error("fell over");
    };
    std::vector<WorkerFailure> failures;
    bed.toy.on_worker_failure = [&](const WorkerFailure& failure) {
      no_threads.reset();
      failures.push_back(failure);
    };
    const End end = run(bed.toy, {.checkpoint_every = 1});
    CHECK(end.error == "");
    CHECK(end.failed == 1);
    CHECK(end.restarts == 0);
    CHECK(end.steps == std::vector<std::uint64_t>{kSteps, 9, kSteps});
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].after == After::is_gone);
    CHECK(failures[0].why == "fell over; the system has no thread with which it could begin again");
    REQUIRE(!end.checkpoints.empty());
    CHECK(Worker::gone_at(end.checkpoints.back(), 1) == 9);
  }
}

TEST_CASE("a thread that does not come back is counted, and waited for only by its team's end") {
  Bed bed("eamsgd");
  bed.toy.order = free_order;
  bed.toy.policy.on_failure = OnFailure::go_on;
  Standstill standstill(bed.toy, 2, 4);
  const Buffer x0 = quadratic::start_vector(bed.toy.count);
  const WorkerSchedule schedule(bed.toy.config, bed.toy.workers, 1);
  Team team(bed.toy.options(schedule, x0));
  team.start();
  standstill.wait();
  give_up(team, 2);
  team.join();
  CHECK(team.strays() == 1);
  CHECK(team.failed() == 1);
  standstill.let_go();
}

TEST_CASE("a master that fails while workers begin again lets all of them go") {
  for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    for (std::uint64_t version = 1; version < 30; ++version) {
      CAPTURE(name);
      CAPTURE(version);
      Bed bed(name, 1);
      bed.toy.order = free_order;
      inject(bed.toy, {"worker 0 throws every 1 steps", "worker 1 throws every 2 steps"});
      bed.toy.on_version = [version](const CenterView& center) {
        if (center.version == version) throw DataError("the listener broke");
      };
      CHECK(run(bed.toy, {}).error == "the listener broke");
    }
  }
}

TEST_CASE("whoever is given up while it moves leaves what the center has of it, and no more") {
  for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel", "mdownpour"}) {
    CAPTURE(name);
    Bed bed(name);
    bed.toy.order = free_order;
    bed.toy.policy.on_failure = OnFailure::restart;
    bed.toy.config.stop.steps = 100'000'000;
    bed.schedule.emplace(bed.toy.config, bed.toy.workers, 1);
    constexpr std::size_t kTimes = 50;
    const auto during = [](Team& team) {
      std::uint64_t begun = 0;
      for (std::size_t given_up = 0; given_up < kTimes && !team.ended();) {
        const WorkerTelemetry& life = team.telemetry(1);
        if (life.absorbed <= begun) continue;
        for (std::size_t i = 0; i < given_up * 40; ++i) std::this_thread::yield();
        if (!team.give_up(1, "is too slow", &life)) continue;
        begun = life.clock;
        ++given_up;
      }
      team.request_stop();
    };
    const End end = run(bed.toy, {.during = during});
    CHECK(end.error == "");
    CHECK(end.restarts == kTimes);
    CHECK(end.failed == 0);
    Toy calm = bed.toy;
    calm.order = [&] { return replay_order(end.recording); };
    check_same(run(calm, {.replayed = &end.recording}), end);
  }
}

TEST_CASE("a worker that stands still while the master fails is given up, and the run ends") {
  for (const OnFailure policy : {OnFailure::go_on, OnFailure::restart, OnFailure::stop}) {
    CAPTURE(int(policy));
    Bed bed("eamsgd");
    bed.toy.order = free_order;
    bed.toy.policy.on_failure = policy;
    bed.toy.config.stop.steps = 1'000'000;  // so that the others have not ended by then
    Standstill standstill(bed.toy, 1, 8);
    std::atomic<bool> breaks = false;
    bed.toy.on_version = [&](const CenterView&) {
      if (breaks) throw DataError("the listener broke");
    };
    bool has_ended = false;
    std::optional<After> after;
    bed.toy.on_worker_failure = [&](const WorkerFailure& failure) { after = failure.after; };
    const auto during = [&](Team& team) {
      standstill.wait();
      breaks = true;
      while (team.telemetry(0).phase != Phase::ended) std::this_thread::yield();
      give_up(team, 1);
      has_ended = team.ends_within(std::chrono::seconds(20));
      standstill.let_go();
    };
    CHECK(run(bed.toy, {.during = during}).error == "the listener broke");
    CHECK(after == After::run_ends);
    CHECK(has_ended);
  }
}

TEST_CASE("who waits for a reply is not given up, nor who has ended") {
  Bed bed("eamsgd");
  struct NeverOrder final : OrderPolicy {
    explicit NeverOrder(const std::atomic<bool>& serves) : serves(serves) {}
    void next(std::span<const Mailbox::State> mailboxes, std::vector<int>& round) override {
      serves.wait(false);
      inner->next(mailboxes, round);
    }
    const std::atomic<bool>& serves;
    std::unique_ptr<OrderPolicy> inner = free_order();
  };
  std::atomic<bool> serves = false;
  std::atomic<int> posted = 0;
  bed.toy.order = [&] { return std::make_unique<NeverOrder>(serves); };
  bed.toy.after_gradient = [&](std::uint32_t, std::uint64_t, View) { ++posted; };
  const End end = run(bed.toy, {.during = [&](Team& team) {
                        while (posted < 3) std::this_thread::yield();
                        CHECK_FALSE(team.give_up(0, "waits"));
                        serves = true;
                        serves.notify_all();
                        while (!team.ended()) std::this_thread::yield();
                        CHECK_FALSE(team.give_up(0, "has ended"));
                      }});
  CHECK(end.failed == 0);
}

TEST_CASE("a letter that was refused when it was recorded is refused again, whatever it holds") {
  for (const std::string name : {"eamsgd", "downpour", "easgd_gauss_seidel"}) {
    Bed bed(name);
    bed.toy.order = free_order;
    inject(bed.toy, {"worker 1 sends NaN at step 4", "worker 2 sends NaN from step 10 to 15"});
    const End recorded = run(bed.toy, {});
    CHECK(std::ranges::count(recorded.recording.incidents, Incident::Kind::refused,
                             &Incident::kind) >= 2);
    bed.toy.change = {};
    bed.toy.order = [&] { return replay_order(recorded.recording); };
    check_same(run(bed.toy, {.replayed = &recorded.recording}), recorded);
  }
}
