#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/stray_threads.h"
#include "exchange/make_order.h"
#include "runs/center_metadata.h"
#include "settings/dump.h"
#include "train/run.h"

namespace easgd {
namespace {

RunFolder begin_folder(const RunPlace& place, const std::string& name, RunClient& client) {
  client.begin();
  return place.is_resumed ? RunFolder::reopen(place.folder) : RunFolder::create(place.folder, name);
}

}  // namespace

Run::Run(ResolvedRun resolved, RunPlace place, RunClient& client)
    : run_(std::move(resolved)),
      place_(std::move(place)),
      client_(client),
      order_(make_order()),
      folder_(begin_folder(place_, run_.config.name, client)),
      resumed_(find_checkpoint(place_, folder_, run_, client)),
      journal_(run_.config, folder_, client),
      center_file_(folder_, run_.network, center_metadata(run_.config, *run_.data)),
      best_file_(folder_, run_.network, center_metadata(run_.config, *run_.data)),
      clock_(run_.config.evaluate.every, std::size_t(run_.config.workers.batch),
             run_.data->train_size),
      step_back_(run_.config.guard),
      keeping_({.run = run_,
                .folder = folder_,
                .journal = journal_,
                .evaluations = evaluations_,
                .pending = pending_,
                .clock = clock_,
                .step_back = step_back_}) {
  if (resumed_) go_on();
}

std::unique_ptr<OrderPolicy> Run::make_order() {
  return easgd::make_order({.config = run_.config,
                            .algorithm = *run_.algorithm,
                            .workers = run_.workers.size(),
                            .replay_config = run_.replay_config},
                           run_.schedule);
}

bool Run::is_enough(const Evaluation& evaluation) const {
  const std::optional<double> enough = run_.config.stop.test_error;
  return enough && evaluation.test.error() <= *enough;
}

/// Takes up what the run has behind it, and changes nothing in its folder.
void Run::go_on() try {
  run_.identity = identity_in(*resumed_, run_.config, run_.identity);
  const SavedState &evaluations = resumed_->get("evaluations"), &times = resumed_->get("clock");
  in_section("evaluations", [&] { evaluations_.load(evaluations, run_.workers.size()); });
  pending_.load(*resumed_, evaluations_.versions(), run_.network, run_.workers.size());
  good_enough_ =
      std::ranges::any_of(evaluations_.all(), [this](const Evaluation& e) { return is_enough(e); });
  in_section("clock", [&] {
    StateLoader clock(times);
    clock_.describe(clock);
  });
  if (step_back_.load(*resumed_)) run_.schedule.slow_down(run_.config.guard.rate);
  const SavedState& center = resumed_->get("center");
  const double seconds = seconds_of(*resumed_);
  const std::vector<std::uint64_t>& steps = center.counts("steps", run_.workers.size());
  const std::vector<std::uint64_t>& refused = center.counts("refused", run_.workers.size());
  keeping_.begun({.version = resumed_->version, .steps = steps}, seconds);
  journal_.go_on({.version = resumed_->version,
                  .steps = std::accumulate(steps.begin(), steps.end(), std::uint64_t(0)),
                  .seconds = seconds,
                  .refused = std::ranges::any_of(refused, [](auto count) { return count > 0; })});
  const bool all_gone = Worker::were_all_gone(*resumed_, run_.workers.size());
  for (std::size_t i = 0; i < run_.workers.size(); ++i) {  // the log has its failure
    if (Worker::gone_at(*resumed_, i) && !all_gone) {
      client_.warn(fmt::format("worker {} is gone since it has failed", i));
    } else if (all_gone || !resumed_->worker(i)) {
      client_.warn(fmt::format("worker {}, which had failed, starts again from the center", i));
    }
  }
} catch (const DataError& e) {
  fail_to_go_on(e);
}

void Run::fail_to_go_on(const DataError& e) const {
  throw DataError(fmt::format("{}: the checkpoint of version {}: {}", folder_.path().string(),
                              resumed_->version, e.what()));
}

/// What a checkpoint lacks is found when evaluator, master and workers take it up. Not before they
/// have done so the run goes on, and its folder tells no more of what came after.
void Run::start(Evaluator& evaluator) {
  bool goes_on = false;
  const auto begin = [&] {
    goes_on = true;
    if (resumed_) begin_again();
    pending_.offer_all(run_.network, run_.workers.size(), evaluator);
  };
  try {
    team_->start(begin);
  } catch (const DataError& e) {
    if (!resumed_ || goes_on) throw;
    fail_to_go_on(e);
  }
}

void Run::begin_again() {
  const CutLog log = turn_ ? CutLog{turn_->lost} : drop_later_events(folder_, *resumed_);
  journal_.report(log.lost);
  const std::optional<LostLoss> why = StepBack::lost_before(*resumed_);
  // Or it was killed once it had gone back, and before its log had that.
  if (why && !log.tells_step_back) {
    journal_.report_step_back(*why, seconds_of(*resumed_), resumed_->version);
  }
  folder_.take_away("summary.json");  // of an end that is none any more
}

RunResult Run::run() {
  announce();
  std::optional<RunResult> result = run_once();
  if (!result) result = run_again();
  return *std::move(result);
}

/// Nothing if the run is to go back, which it does once.
std::optional<RunResult> Run::run_once() {
  Evaluator evaluator(evaluator_options(), run_.network.state_count());
  CheckpointKeeper keeper([this](Checkpoint checkpoint) { keeping_.keep(std::move(checkpoint)); });
  auto team = std::make_unique<Team>(team_options(evaluator));
  team_ = team.get();
  const PauseWatch pauses;
  start(evaluator);
  if (resumed_) resumed_->sections.clear();  // every replica, which would stay to the end
  if (!turn_) begin_files();
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
  if (step_back_.may_go_back() && turn_back(*team, evaluator)) return std::nullopt;
  RunResult result = end(*team, evaluator);
  strays_ = team->strays();
  if (strays_ > 0) team.release();  // it may be looked at as well
  return result;
}

void Run::announce() {
  journal_.announce(*run_.data, run_.network, run_.schedule);
  for (const std::string& warning : run_.warnings) {
    if (resumed_) {
      client_.warn(warning);  // the log has it
    } else {
      journal_.warn(warning);
    }
  }
  const bool is_replay = run_.config.center.order == OrderKind::replay;
  if (!resumed_ && !is_replay) journal_.warn_of_schedule(run_.schedule);
}

/// So that configuration and center are there from the beginning.
void Run::begin_files() {
  folder_.write("config.toml", dump_config(run_.config));
  folder_.keep();
  if (resumed_) return;
  try {
    center_file_.begin(run_.state0);
  } catch (const DataError& error) {
    journal_.warn(std::string(error.what()) + "; the run goes on");
  }
}

namespace {

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
      std::make_unique<Run>(resolve_again(config, folder), RunPlace{folder, true, pause}, client));
}

}  // namespace easgd
