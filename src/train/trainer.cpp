#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/failure.h"
#include "base/first_error.h"
#include "base/running_clock.h"
#include "base/stray_threads.h"
#include "base/warning.h"
#include "evaluate/evaluation_clock.h"
#include "evaluate/evaluator.h"
#include "evaluate/test_set.h"
#include "exchange/make_order.h"
#include "exchange/team.h"
#include "exchange/team_totals.h"
#include "runs/best_file.h"
#include "runs/center_file.h"
#include "runs/checkpoint_folder.h"
#include "runs/evaluation_log.h"
#include "runs/journal.h"
#include "runs/run_folder.h"
#include "runs/summarise.h"
#include "settings/algorithm_keys.h"
#include "settings/dump.h"
#include "settings/fault.h"
#include "train/find_environment.h"
#include "train/loss_guard.h"
#include "train/resolve.h"
#include "train/resumed_run.h"
#include "train/watch.h"
#include "train/worker_parts.h"

namespace easgd {
namespace {

// A section of a checkpoint, and a counter in it.
constexpr const char *kGuard = "guard", *kWentBack = "went_back";

/// A run that has nothing left to choose: begun, watched, ended.
class Run {
 public:
  /// Makes the run folder: the last step that may fail before the run begins.
  Run(ResolvedRun resolved, RunPlace place, RunClient& client);
  RunResult run();
  /// After run(): threads that were given up and may still look at it.
  std::size_t strays() const { return strays_; }

 private:
  std::unique_ptr<OrderPolicy> make_order();
  std::optional<RunResult> run_once();
  void heed_loss(double loss, std::uint64_t version);
  bool can_go_back();
  void go_back();
  void write_nothing_if_full(std::uint64_t version) const;
  void go_on();
  [[noreturn]] void fail_to_go_on(const DataError& e) const;
  void start();
  void announce();
  TeamOptions team_options(Evaluator& evaluator);
  TeamOptions::Checkpoints checkpoint_options(Evaluator& evaluator);
  bool pauses(Evaluator& evaluator, const CenterView& center, double seconds);
  void save_checkpoint(Checkpoint checkpoint, const Evaluator& evaluator);
  void keep_checkpoint(Checkpoint checkpoint, const Evaluator& evaluator);
  EvaluatorOptions evaluator_options();
  void save_start();
  RunResult end(Team& team, Evaluator& evaluator);
  void finish(Evaluator& evaluator, const CenterView& last, double seconds);
  void write_order(const Team& team);
  RunSummary summarise(const Team& team, RunStatus status, double seconds) const;

  ResolvedRun run_;
  const RunPlace place_;
  const Environment environment_{find_environment(run_.config.workers.devices)};
  RunClient& client_;
  std::atomic<bool> good_enough_{false};  // stop.test_error has been reached
  std::atomic<bool> paused_{false};       // where the place says
  Hurry hurry_;
  bool warned_of_checkpoints_ = false;  // on the keeper's thread
  const std::vector<Fault> faults_;     // of the disk
  std::unique_ptr<OrderPolicy> order_;
  RunFolder folder_;
  std::optional<Checkpoint> resumed_;  // that the run goes on from
  Journal journal_;
  WarningScope warnings_{[this](const std::string& message) { journal_.warn(message); }};
  CenterFile center_file_;
  BestFile best_file_;
  EvaluationClock clock_, checkpoint_clock_;
  EvaluationLog evaluations_;
  LossGuard loss_guard_;
  std::optional<LostLoss> lost_;            // written by the master's thread
  std::optional<std::uint64_t> went_back_;  // to this version, and on more slowly
  Team* team_ = nullptr;
  std::size_t strays_ = 0;
};

RunFolder begin_folder(const RunPlace& place, const std::string& name, RunClient& client) {
  client.begin();
  return place.is_resumed ? RunFolder::reopen(place.folder) : RunFolder::create(place.folder, name);
}

Every every_or(Every every, double seconds) {
  if (!every.seconds && !every.epochs && !every.versions) every.seconds = seconds;
  return every;
}

Run::Run(ResolvedRun resolved, RunPlace place, RunClient& client)
    : run_(std::move(resolved)),
      place_(std::move(place)),
      client_(client),
      faults_(parse_faults(run_.config.debug.fail)),
      order_(make_order()),
      folder_(begin_folder(place_, run_.config.name, client)),
      resumed_(find_checkpoint(place_, folder_, run_.config, client)),
      journal_(run_.config, folder_, client),
      center_file_(folder_, run_.network, dump_evaluation_config(run_.config)),
      best_file_(folder_, run_.network, dump_evaluation_config(run_.config)),
      clock_(run_.config.evaluate.every, std::size_t(run_.config.workers.batch),
             run_.data->train_size),
      checkpoint_clock_(every_or(run_.config.checkpoint.every, EvaluationClock::kCheckpointSeconds),
                        std::size_t(run_.config.workers.batch), run_.data->train_size),
      loss_guard_(run_.config.guard) {
  if (resumed_) go_on();
}

std::unique_ptr<OrderPolicy> Run::make_order() {
  return easgd::make_order({.config = run_.config,
                            .algorithm = *run_.algorithm,
                            .workers = run_.workers.size(),
                            .replay_config = run_.replay_config},
                           run_.schedule);
}

/// A replay repeats what befell its workers, and knows no other failures.
FailurePolicy failure_policy(const Config& config) {
  if (config.center.order == OrderKind::replay) return {};
  return {.on_failure = config.workers.on_failure,
          .refusals = std::uint64_t(config.workers.refusals)};
}

/// Takes up what the run has behind it.
void Run::go_on() try {
  run_.identity = identity_in(*resumed_, run_.config, run_.identity);
  evaluations_.load(resumed_->get("evaluations"), run_.workers.size());
  StateLoader clock(resumed_->get("clock"));
  clock_.describe(clock);
  if (const SavedState* guard = resumed_->find(kGuard)) {
    StateLoader loader(*guard);
    loss_guard_.describe(loader);
    const auto back = guard->counters.find(kWentBack);
    if (back != guard->counters.end() && !went_back_) {
      went_back_ = guard->counter(kWentBack);
      run_.schedule.slow_down(run_.config.guard.rate);
    }
  }
  const SavedState& center = resumed_->get("center");
  const double seconds = seconds_of(*resumed_);
  const std::vector<std::uint64_t>& steps = center.counts("steps", run_.workers.size());
  const std::vector<std::uint64_t>& refused = center.counts("refused", run_.workers.size());
  checkpoint_clock_.begun({.version = resumed_->version, .steps = steps}, seconds);
  const LostPart lost = drop_later_events(folder_, *resumed_);
  journal_.go_on({.version = resumed_->version,
                  .steps = std::accumulate(steps.begin(), steps.end(), std::uint64_t(0)),
                  .seconds = seconds,
                  .refused = std::ranges::any_of(refused, [](auto count) { return count > 0; })},
                 lost);
  for (std::size_t i = 0; i < run_.workers.size(); ++i) {
    if (Worker::gone_at(*resumed_, i)) {
      journal_.warn(fmt::format("worker {} is gone since it has failed", i));
    } else if (!resumed_->worker(i)) {
      journal_.warn(fmt::format("worker {}, which had failed, starts again from the center", i));
    }
  }
} catch (const DataError& e) {
  fail_to_go_on(e);
}

void Run::fail_to_go_on(const DataError& e) const {
  throw DataError(fmt::format("{}: the checkpoint of version {} {}", folder_.path().string(),
                              resumed_->version, e.what()));
}

/// What a checkpoint lacks is found when master and workers take it up.
void Run::start() try { team_->start(); } catch (const DataError& e) {
  if (!resumed_) throw;
  fail_to_go_on(e);
}

RunResult Run::run() {
  announce();
  while (true) {
    if (auto result = run_once()) return *std::move(result);
    go_back();
  }
}

/// Nothing if the run is to go back.
std::optional<RunResult> Run::run_once() {
  Evaluator evaluator(evaluator_options(), run_.network.state_count());
  CheckpointKeeper keeper([this, &evaluator](Checkpoint checkpoint) {
    keep_checkpoint(std::move(checkpoint), evaluator);
  });
  auto team = std::make_unique<Team>(team_options(evaluator));
  team_ = team.get();
  const PauseWatch pauses;
  start();
  if (resumed_) resumed_->sections.clear();  // every replica, which would stay to the end
  folder_.take_away("summary.json");         // of an end that is none any more
  folder_.write("config.toml", dump_config(run_.config));
  folder_.keep();
  if (!resumed_) save_start();
  watch({.config = run_.config,
         .schedule = run_.schedule,
         .train_size = run_.data->train_size,
         .team = *team,
         .evaluator = evaluator,
         .evaluations = evaluations_,
         .good_enough = good_enough_,
         .hurry = hurry_,
         .keeper = keeper},
        journal_, client_);
  keeper.wait();
  if (lost_ && can_go_back()) return std::nullopt;
  RunResult result = end(*team, evaluator);
  strays_ = team->strays();
  if (strays_ > 0) team.release();  // it may be looked at as well
  return result;
}

/// On the master's thread.
void Run::heed_loss(double loss, std::uint64_t version) {
  if (lost_) return;
  if (std::string why = loss_guard_.look(loss); !why.empty()) {
    lost_ = LostLoss{version, std::move(why)};
    team_->request_stop();
  }
}

/// Takes up the last checkpoint, if the run may go back once more, and nothing else has gone wrong:
/// what has is told by end().
bool Run::can_go_back() {
  if (run_.config.guard.action != GuardAction::back || went_back_ || client_.wants_end()) {
    return false;
  }
  try {
    team_->join();
  } catch (...) {
    return false;
  }
  if (team_->strays() > 0) return false;
  auto checkpoint =
      CheckpointFolder(folder_.path()).load([this](const std::string& m) { journal_.warn(m); });
  if (!checkpoint) {
    journal_.warn("there is no checkpoint to go back to");
    return false;
  }
  resumed_ = std::move(checkpoint);
  return true;
}

/// To the checkpoint, and on with a lower rate. Wherever the run goes on from later, it has.
void Run::go_back() {
  const LostLoss lost = *std::exchange(lost_, std::nullopt);
  went_back_ = resumed_->version;
  run_.schedule.slow_down(run_.config.guard.rate);
  good_enough_ = false;
  order_ = make_order();
  go_on();
  journal_.report_step_back(lost, seconds_of(*resumed_), resumed_->version);
}

void Run::announce() {
  journal_.announce(*run_.data, run_.network, run_.schedule);
  for (const std::string& warning : run_.warnings) journal_.warn(warning);
  if (!resumed_) journal_.warn_of_schedule(run_.schedule);
}

TeamOptions Run::team_options(Evaluator& evaluator) {
  TeamOptions options{
      .algorithm = run_.algorithm,
      .schedule = &run_.schedule,
      .own = rule_options(run_.config.algorithm, run_.workers.size()).own,
      .placement = run_.center,
      .workers = {},
      .order = std::move(order_),
      .state0 = run_.state0,
      .statistics = {run_.network.statistic_count(), run_.config.network.statistics},
      .policy = failure_policy(run_.config),
      .on_version =
          [this, &evaluator](const CenterView& center, double seconds) {
            if (paused_ || !clock_.due(center, seconds)) return false;
            if (center.seconds) evaluator.wait();  // virtual time stands still meanwhile
            if (!evaluator.offer(center, seconds)) return false;
            clock_.begun(center, seconds);
            return true;
          },
      .on_failure = [this](const WorkerFailure& f, double seconds) { journal_.report(f, seconds); },
      .on_begin = [this](const Beginning& b, double seconds) { journal_.report(b, seconds); }};
  options.checkpoints = checkpoint_options(evaluator);
  const bool is_replay = run_.config.center.order == OrderKind::replay;
  if (run_.config.guard.action != GuardAction::none && !is_replay) {
    options.on_loss = [this](double loss, std::uint64_t version) { heed_loss(loss, version); };
  }
  for (std::size_t i = 0; i < run_.workers.size(); ++i) {
    options.workers.push_back(worker_parts(run_, i));
  }
  return options;
}

TeamOptions::Checkpoints Run::checkpoint_options(Evaluator& evaluator) {
  TeamOptions::Checkpoints options{.wanted = run_.config.checkpoint.keep > 0};
  options.is_due = [this](const CenterView& center, double seconds) {
    if (!checkpoint_clock_.due(center, seconds)) return false;
    checkpoint_clock_.begun(center, seconds);
    return true;
  };
  options.add = [this](Checkpoint& checkpoint, const CenterView&, double seconds) {
    StateSaver clock;
    clock_.describe(clock);
    checkpoint.sections["clock"] = std::move(clock.saved);
    StateSaver guard;
    loss_guard_.describe(guard);
    if (went_back_) guard.saved.counters[kWentBack] = {*went_back_};
    checkpoint.sections[kGuard] = std::move(guard.saved);
    add_run(checkpoint, run_.config, run_.identity, seconds);
  };
  if (place_.pause) {
    options.pauses = [this, &evaluator](const CenterView& center, double seconds) {
      return pauses(evaluator, center, seconds);
    };
  }
  if (resumed_) {
    options.resumed = &*resumed_;
    options.seconds = seconds_of(*resumed_);
  }
  return options;
}

/// Here, with an evaluation of this very center. It is one beside those that are due, whose times
/// and losses stay what they would be.
bool Run::pauses(Evaluator& evaluator, const CenterView& center, double seconds) {
  if (!place_.pause->is_reached(clock_.epoch(center.steps), center.steps)) return false;
  evaluator.wait();
  const auto all = evaluations_.all();
  const bool is_evaluated = !all.empty() && all.back().version == center.version;
  if (!is_evaluated) evaluator.offer(center, seconds);
  paused_ = true;
  return true;
}

/// Once the evaluations up to its version are there.
/// Throws: DataError.
void Run::save_checkpoint(Checkpoint checkpoint, const Evaluator& evaluator) {
  evaluator.wait();
  write_nothing_if_full(checkpoint.version);
  checkpoint.sections["evaluations"] = evaluations_.saved_up_to(checkpoint.version);
  const auto begin = RunningClock::now();
  folder_.sync();  // its evaluations are events by now
  const auto keep = std::size_t(run_.config.checkpoint.keep);
  const std::uint64_t bytes = CheckpointFolder(folder_.path()).save(checkpoint, keep);
  const std::chrono::duration<double> writing = RunningClock::now() - begin;
  journal_.report(StoredCheckpoint{.version = checkpoint.version,
                                   .seconds = seconds_of(checkpoint),
                                   .bytes = bytes,
                                   .write_seconds = writing.count()});
}

/// While the run goes on.
void Run::keep_checkpoint(Checkpoint checkpoint, const Evaluator& evaluator) {
  try {
    save_checkpoint(std::move(checkpoint), evaluator);
  } catch (const std::exception& e) {
    if (!std::exchange(warned_of_checkpoints_, true)) {
      journal_.warn(std::string(e.what()) + "; the run goes on");
    }
  }
}

EvaluatorOptions Run::evaluator_options() {
  std::optional<std::uint64_t> evaluated;
  if (const auto all = evaluations_.all(); !all.empty()) evaluated = all.back().version;
  EvaluatorOptions options{
      .make_test =
          [this] {
            return std::make_unique<TestSet>(run_.config, *run_.data, run_.network,
                                             [this] { return hurry_.is_over(); });
          },
      .save =
          [this](const Snapshot& s) {
            write_nothing_if_full(s.version);
            center_file_.save(s.center, s.version);
          },
      .report =
          [this](const Evaluation& e) {
            evaluations_.add(e);
            const std::optional<double> enough = run_.config.stop.test_error;
            if (enough && e.test.error() <= *enough) good_enough_ = true;
            journal_.report(e, clock_.epoch(e.steps));
          },
      .warn = [this](const std::string& message) { journal_.warn(message); },
      .evaluated = evaluated,
  };
  if (run_.config.checkpoint.best) {
    options.keep_best = [this](const Evaluation& e, ConstView state) {
      best_file_.offer(e, state);
    };
  }
  return options;
}

/// Throws: DataError as of a full disk, where debug.fail asks for it.
void Run::write_nothing_if_full(std::uint64_t version) const {
  if (const Fault* fault = full_disk(faults_, version)) {
    throw DataError(fmt::format("{}: No space left on device (debug.fail: {})",
                                folder_.path().string(), fault->sentence));
  }
}

/// So that a center is there from the beginning.
void Run::save_start() {
  try {
    center_file_.save(run_.state0, 0);
  } catch (const DataError& error) {
    journal_.warn(std::string(error.what()) + "; the run goes on");
  }
}

/// Whatever has failed, everything that was reached is kept; the first failure is the result's.
RunResult Run::end(Team& team, Evaluator& evaluator) {
  const double seconds = team.seconds();
  const bool cut_short = !paused_ && client_.wants_end();
  FirstError failure;
  const auto attempt = [&failure](const auto& part) {
    try {
      part();
    } catch (...) {
      failure.record();
    }
  };
  if (lost_) journal_.report(*lost_, seconds);
  attempt([&] { team.join(); });
  attempt([&] { write_order(team); });
  attempt([&] {
    auto checkpoint = team.take_last_checkpoint();
    const bool goes_on = cut_short || paused_ || failure.get() || evaluator.failed();
    if (checkpoint && goes_on) save_checkpoint(std::move(*checkpoint), evaluator);
  });
  attempt([&] {  // in case a signal ends the last evaluation
    folder_.write("summary.json", text_of(summarise(team, RunStatus::interrupted, seconds)));
  });
  if (paused_) {
    attempt([&] { evaluator.finish(); });
  } else if (!team.master().is_lost()) {
    const CenterView last = team.master().view();
    attempt([&] { finish(evaluator, last, last.seconds.value_or(seconds)); });
  }
  const bool still = never_moved(team, run_.state0);
  const RunStatus status = verdict({.failed = bool(failure.get()),
                                    .interrupted = cut_short,
                                    .paused = paused_,
                                    .lost_loss = lost_.has_value(),
                                    .never_moved = still,
                                    .totals = totals_of(team),
                                    .evaluations = evaluations_.all()});
  if (status == RunStatus::done && still) {
    journal_.warn(
        "no letter has moved the center: center.safetensors holds the initial parameters");
  }
  RunResult result{folder_.path(), summarise(team, status, seconds)};
  folder_.sync();
  attempt([&] { folder_.write("summary.json", text_of(result.summary)); });
  if (cut_short) result.exit_code = ExitCode::interrupted;
  result.failure = failure.get();
  if (result.failure) {
    result.exit_code = failure_of(result.failure).code;
    result.summary.status = RunStatus::failed;
  }
  journal_.conclude(result.summary.status);
  return result;
}

/// Says of a failure that the saved center is not the last one, if it is not.
void Run::finish(Evaluator& evaluator, const CenterView& last, double seconds) {
  try {
    evaluator.finish(last, seconds);
  } catch (const Error& error) {
    const std::optional<std::uint64_t> saved = center_file_.version();
    if (saved == last.version) throw;
    throw Error(error.exit_code(),
                saved ? fmt::format("{}; {} is of version {}, the run reached {}", error.what(),
                                    center_file_.path(), *saved, last.version)
                      : fmt::format("{}; no center is saved", error.what()));
  }
}

void Run::write_order(const Team& team) {
  if (run_.config.algorithm.exchange == Exchange::synchronous) return;
  Recording recording = team.recording();
  recording.config = run_.replay_config;
  if (went_back_) {
    recording.incidents.push_back({.at = recording.letters.size(),
                                   .worker = 0,
                                   .kind = Incident::Kind::went_back,
                                   .clock = *went_back_});
  }
  folder_.write("order.bin", [&](std::ostream& file) { recording.write(file, team.workers()); });
}

RunSummary Run::summarise(const Team& team, RunStatus status, double seconds) const {
  RunSummary summary = easgd::summarise({.config = run_.config,
                                         .identity = run_.identity,
                                         .rates = run_.schedule.elastic(),
                                         .team = team,
                                         .train_size = run_.data->train_size,
                                         .seconds = seconds,
                                         .environment = environment_},
                                        evaluations_.all(), status);
  if (status == RunStatus::paused) summary.paused_at = place_.pause->text();
  return summary;
}

/// Throws: KeyError.
void check_can_pause(const Config& config, const std::optional<PausePoint>& pause) {
  if (!pause || config.checkpoint.keep > 0) return;
  throw KeyError("checkpoint.keep", "is 0; a run that is to pause needs a checkpoint, 1 or more");
}

/// What threads that do not come back may look at stays in memory.
RunResult result_of(std::unique_ptr<Run> run) {
  RunResult result = run->run();
  note_stray_threads(run->strays());
  if (run->strays() > 0) [[maybe_unused]]
    Run* kept = run.release();
  return result;
}

}  // namespace

RunResult train(Config config, const std::string& out, RunClient& client,
                std::optional<PausePoint> pause) {
  check_can_pause(config, pause);
  return result_of(
      std::make_unique<Run>(resolve(std::move(config)), RunPlace{out, false, pause}, client));
}

RunResult resume(Config config, const std::string& folder, RunClient& client,
                 std::optional<PausePoint> pause) {
  check_unfinished(folder, config);
  check_can_pause(config, pause);
  return result_of(
      std::make_unique<Run>(resolve(std::move(config)), RunPlace{folder, true, pause}, client));
}

}  // namespace easgd
