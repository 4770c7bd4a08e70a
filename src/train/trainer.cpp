#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/interrupt.h"
#include "base/running_clock.h"
#include "base/utf8.h"
#include "data/location.h"
#include "evaluate/evaluation_clock.h"
#include "evaluate/evaluator.h"
#include "evaluate/run_inputs.h"
#include "evaluate/test_set.h"
#include "exchange/devices.h"
#include "exchange/team.h"
#include "exchange/virtual_order.h"
#include "exchange/watchdog.h"
#include "nn/safetensors.h"
#include "runs/journal.h"
#include "runs/progress.h"
#include "runs/run_folder.h"
#include "runs/summary.h"
#include "settings/dump.h"
#include "settings/load.h"
#include "settings/worker_schedule.h"

namespace easgd {
namespace {

using nlohmann::json;

constexpr auto kLook = std::chrono::milliseconds(50);

/// The numbers of threads that there are: the bits of a run depend on them.
Config& resolve_threads(Config& config, const std::vector<Placement>& places) {
  const auto on_cpu = std::ranges::find(places, "cpu", &Placement::kind);
  config.workers.threads = (on_cpu == places.end() ? places.begin() : on_cpu)->options.threads;
  config.evaluate.threads = place_evaluation(config.workers, config.evaluate).options.threads;
  return config;
}

/// Threads of a run beside the main one and those that read data: master, evaluator, clock, workers,
/// and the teams of those on the CPU.
std::size_t count_threads(const Config& config, const std::vector<Placement>& workers,
                          const CenterPlacement& center) {
  std::size_t count = std::size_t(center.threads) + 1;  // the master's team, and the clock
  for (const Placement& worker : workers) count += std::size_t(worker.options.threads);
  return count + std::size_t(place_evaluation(config.workers, config.evaluate).options.threads);
}

/// The network of a run that is to train and test it.
Network network_of(const Config& config, const Data& data) {
  Network network = make_network(config, data.split.train->shape(), data.split.train->classes());
  check_batch("workers.batch", config.workers.batch, network);
  if (recomputes_statistics(config, network)) {
    check_batch("evaluate.batch", config.evaluate.batch, network);
  }
  return network;
}

/// Where the files of the set were found, so that the run repeats from another folder. A remark
/// where config.toml cannot hold that.
std::string resolve_folder(DataConfig& data, const std::string& source) {
  const bool has_files = Registry<DatasetFiles>::find(data.set);
  if (has_files && data.dir.empty()) data.dir = anchored(source);
  if (is_utf8(data.dir)) return "";
  const std::string dir = std::exchange(data.dir, "");
  if (!has_files) return "";
  return dir +
         ": is no UTF-8, so that config.toml leaves data.dir out; to repeat or evaluate the run "
         "set "
         "$EASGD_DATA to that folder";
}

/// A run: made from its configuration, run once.
class Run {
 public:
  Run(Config config, const std::string& out);
  ExitCode run();

 private:
  std::unique_ptr<OrderPolicy> make_order();
  std::string replay_config() const {
    return dump_replay_config(config_, recomputes_statistics(config_, network_));
  }
  RunFolder make_folder(const std::string& out);
  TeamOptions team_options();
  void save_center(ConstView state, std::uint64_t version);
  void save_start();
  EvaluatorOptions evaluator_options();
  WorkerParts worker_parts(std::size_t index);
  void report(const Evaluation& evaluation);
  ProgressState progress_of(const Team& team) const;
  std::uint64_t steps_taken(const Team& team) const;
  bool never_moved(const Team& team) const;
  bool diverged(const Team& team) const;
  void finish(Evaluator& evaluator, const CenterView& last, double seconds);
  void watch(Team& team, const Evaluator& evaluator);
  json summarise(const Team& team, const std::string& status, double seconds) const;
  void write_summary(const Team& team, const std::string& status, double seconds);
  void write_order(const Team& team);

  std::atomic<bool> ending_{false};       // the run is to end before its schedule
  std::atomic<bool> good_enough_{false};  // stop.test_error has been reached
  Config config_;
  const Algorithm& algorithm_;
  WorkerPlaces workers_;
  CenterPlacement place_;
  Data data_;
  Network network_;
  WorkerSchedule schedule_;
  Buffer state0_;
  std::unique_ptr<OrderPolicy> order_;
  RunFolder folder_;  // last of what may fail: a mistake leaves no folder behind
  Journal journal_;
  EvaluationClock clock_;
  std::map<std::string, std::string> metadata_;
  std::mutex saving_;
  std::optional<std::uint64_t> saved_;  // version of center.safetensors
  Summary summary_;
};

Run::Run(Config config, const std::string& out)
    : config_(std::move(config)),
      algorithm_(Registry<Algorithm>::get(config_.algorithm.name)),
      workers_(place_workers(config_.workers, algorithm_.single)),
      place_(place_center(config_, workers_.places)),
      data_(resolve_threads(config_, workers_.places),
            count_threads(config_, workers_.places, place_)),
      network_(network_of(config_, data_)),
      schedule_(config_, workers_.places.size(), data_.train_size),
      state0_(initial_state(config_, network_)),
      order_(make_order()),
      folder_(make_folder(out)),
      journal_(config_, folder_),
      clock_(config_.evaluate.every, std::size_t(config_.workers.batch), data_.train_size) {
  const std::string remark = resolve_folder(config_.data, data_.split.source);
  config_.workers.devices = names_of(workers_.places);
  config_.center.place = place_.name;
  check_reads_back(config_);
  metadata_ = {{"easgd.config", dump_evaluation_config(config_)}};
  if (!remark.empty()) journal_.warn(remark);
}

std::unique_ptr<OrderPolicy> Run::make_order() {
  const bool synchronous = config_.algorithm.exchange == Exchange::synchronous;
  if (config_.center.order == OrderKind::virtual_time) {
    const VirtualConfig& v = config_.virtual_time;
    return virtual_order(
        schedule_, algorithm_, workers_.places.size(),
        {v.step_seconds, v.transfer_seconds, v.jitter, std::uint64_t(config_.seed)}, synchronous);
  }
  if (synchronous) return synchronous_order();
  if (config_.center.order == OrderKind::round_robin) {
    return algorithm_.timing == Timing::around ? round_robin_pairs() : round_robin_order();
  }
  if (config_.center.order == OrderKind::free) return free_order();
  Recording recording = Recording::read(config_.center.replay, workers_.places.size());
  recording.check_repeats(replay_config());
  schedule_.set_steps(recording.steps);
  return replay_order(std::move(recording), ending_);
}

/// From here a signal is heard, not obeyed: the folder is not left behind half made.
RunFolder Run::make_folder(const std::string& out) {
  catch_interrupts();
  return RunFolder(out, config_.name);
}

WorkerParts Run::worker_parts(std::size_t index) {
  const auto seed = std::uint64_t(config_.seed);
  return {
      .backend = [this, index] { return workers_.places[index].make_backend(); },
      .model =
          [this, seed](Backend& backend) {
            return backend.compile(network_,
                                   {.batch = std::size_t(config_.workers.batch),
                                    .training = true,
                                    .graphs = config_.workers.graphs,
                                    .plan_search = config_.workers.plans == PlanChoice::search,
                                    .precision = config_.workers.precision,
                                    .seed = seed});
          },
      .batches =
          [this, index](Backend& backend) {
            LoaderOptions options = loader_options(config_, data_);
            options.worker = std::uint32_t(index);
            options.workers = std::uint32_t(workers_.places.size());
            options.resident =
                config_.data.resident && data_.split.train->has_one_size() &&
                backend.can_hold(data_.train_size * data_.split.train->shape().size());
            options.allocate = [&backend](std::size_t n) { return backend.allocate_mailbox(n); };
            return std::make_unique<Loader>(*data_.split.train, options);
          },
  };
}

TeamOptions Run::team_options() {
  TeamOptions options{.algorithm = &algorithm_,
                      .schedule = &schedule_,
                      .own = config_.algorithm.own,
                      .placement = place_,
                      .workers = {},
                      .order = std::move(order_),
                      .state0 = state0_,
                      .statistics = {network_.statistic_count(), config_.network.statistics},
                      .stop_on_failure = config_.workers.on_failure == OnFailure::stop,
                      .on_version = {},
                      .on_failure = {}};
  for (std::size_t i = 0; i < workers_.places.size(); ++i)
    options.workers.push_back(worker_parts(i));
  options.on_failure = [this](int worker, const std::string& why) {
    journal_.warn_of_failure(worker, why);
  };
  return options;
}

/// From any thread; never over a later one.
void Run::save_center(ConstView state, std::uint64_t version) {
  const std::lock_guard lock(saving_);
  if (saved_ && *saved_ > version) return;
  auto metadata = metadata_;
  metadata["easgd.version"] = std::to_string(version);
  folder_.write("center.safetensors", [&](std::ostream& stream) {
    safetensors::write(stream, network_, state, metadata);
  });
  saved_ = version;
}

/// So that a center is there from the beginning.
void Run::save_start() {
  try {
    save_center(state0_, 0);
  } catch (const DataError& error) {
    journal_.warn(std::string(error.what()) + "; the run goes on");
  }
}

EvaluatorOptions Run::evaluator_options() {
  return {
      .make_test = [this] { return std::make_unique<TestSet>(config_, data_, network_); },
      .save = [this](const Snapshot& snapshot) { save_center(snapshot.center, snapshot.version); },
      .report = [this](const Evaluation& evaluation) { report(evaluation); },
      .warn = [this](const std::string& message) { journal_.warn(message); },
  };
}

void Run::report(const Evaluation& e) {
  summary_.add(e);
  if (config_.stop.test_error && e.test.error() <= *config_.stop.test_error) good_enough_ = true;
  journal_.tell(e, clock_.epoch(e.steps));
}

std::uint64_t Run::steps_taken(const Team& team) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < team.workers(); ++i) sum += team.telemetry(i).clock;
  return sum;
}

/// No letter has moved the center.
bool Run::never_moved(const Team& team) const {
  const ConstView center = team.master().view().center;
  return std::ranges::equal(center, ConstView(state0_).first(center.size()));
}

/// The loss is not finite; or letters were refused so often, or so late, that what is left of their
/// work is chance; or all that would have moved the center.
bool Run::diverged(const Team& team) const {
  constexpr std::uint64_t kOften = 10, kSeveral = 3;
  std::uint64_t refused = 0, absorbed = 0;
  bool late = false;  // in the last quarter of a worker's steps
  for (std::size_t i = 0; i < team.workers(); ++i) {
    const WorkerTelemetry& worker = team.telemetry(i);
    refused += worker.refused;
    absorbed += worker.exchanges;
    late |= worker.refused > 0 && 4 * worker.last_refused >= 3 * worker.clock;
  }
  return summary_.diverged() || kOften * refused > absorbed + refused ||
         (late && refused >= kSeveral) || (refused > 0 && never_moved(team));
}

ProgressState Run::progress_of(const Team& team) const {
  const double seconds = team.seconds();
  const double images = double(steps_taken(team)) * double(config_.workers.batch);
  double fraction = 0;
  if (schedule_.steps(0) != WorkerSchedule::kEndless) {
    double planned = 0;
    for (std::size_t i = 0; i < team.workers(); ++i) planned += double(schedule_.steps(i));
    fraction = double(steps_taken(team)) / planned;
  }
  if (config_.stop.seconds) fraction = std::max(fraction, seconds / *config_.stop.seconds);
  return {std::min(1.0, fraction), seconds, images / double(data_.train_size), images / seconds};
}

/// Main's part while the others work: progress, time limit, signals, watchdog.
void Run::watch(Team& team, const Evaluator& evaluator) {
  Progress progress;
  Watchdog watchdog;
  const bool replaying =
      config_.center.order == OrderKind::replay;  // ends where the recorded run did
  while (!team.ended()) {
    std::this_thread::sleep_for(kLook);
    const bool time_is_up = config_.stop.seconds && team.seconds() >= *config_.stop.seconds;
    const bool reached = !replaying && (time_is_up || good_enough_);
    if (interrupted() && !ending_) {
      Progress::line(
          "stopping, saving and testing the center; once more, after a second, quits at once");
    }
    if (reached || evaluator.failed() || interrupted()) {
      ending_ = true;
      team.request_stop();
    }
    const ProgressState state = progress_of(team);
    progress.show(state);
    journal_.log_progress(state, team);
    for (const std::string& complaint : watchdog.look(team)) journal_.warn(complaint);
    journal_.warn_of_refusals(team);
  }
}

json Run::summarise(const Team& team, const std::string& status, double seconds) const {
  const double images = double(steps_taken(team)) * double(config_.workers.batch);
  return summary_.json(config_, schedule_.elastic(), team, status, seconds, images,
                       images / double(data_.train_size));
}

void Run::write_summary(const Team& team, const std::string& status, double seconds) {
  const json summary = summarise(team, status, seconds);
  journal_.conclude(summary);
  folder_.write("summary.json", summary.dump(2) + "\n");
}

void Run::write_order(const Team& team) {
  if (config_.algorithm.exchange == Exchange::synchronous) return;
  Recording recording{team.master().order(), {}, replay_config()};
  for (std::size_t i = 0; i < team.workers(); ++i) {
    recording.steps.push_back(team.telemetry(i).clock);
  }
  folder_.write("order.bin", [&](std::ostream& file) { recording.write(file, team.workers()); });
}

/// Says of a failure that the saved center is not the last one, where it is not.
void Run::finish(Evaluator& evaluator, const CenterView& last, double seconds) {
  try {
    evaluator.finish(last, seconds);
  } catch (const Error& error) {
    if (saved_ == last.version) throw;
    const std::string center = folder_.file("center.safetensors").string();
    throw Error(error.exit_code(), saved_
                                       ? fmt::format("{}; {} is of version {}, the run reached {}",
                                                     error.what(), center, *saved_, last.version)
                                       : fmt::format("{}; no center is saved", error.what()));
  }
}

ExitCode Run::run() {
  journal_.announce(data_, network_, schedule_);
  for (const std::string& remark : {workers_.remark, place_.remark}) {
    if (!remark.empty()) journal_.warn(remark);
  }
  journal_.warn_of_schedule(schedule_);
  TeamOptions options = team_options();
  Evaluator evaluator(evaluator_options(), network_.state_count());
  const Team* seen_team = nullptr;
  options.on_version = [&](const CenterView& center) {
    const double seconds = center.seconds.value_or(seen_team->seconds());
    if (!clock_.due(center, seconds)) return false;
    if (center.seconds) evaluator.wait();  // virtual time stands still meanwhile
    if (!evaluator.offer(center, seconds)) return false;
    clock_.begun(center, seconds);
    return true;
  };
  Team team(std::move(options));
  seen_team = &team;
  const PauseWatch pauses;
  team.start();
  folder_.write("config.toml", dump_config(config_));
  folder_.keep();
  save_start();
  watch(team, evaluator);
  const double seconds = team.seconds();
  const bool cut_short = interrupted();

  // Whatever has failed, everything that was reached is kept, and then the first failure is told. A
  // first summary is there in case a signal ends the last evaluation.
  FirstError failure;
  const auto attempt = [&failure](const auto& part) {
    try {
      part();
    } catch (...) {
      failure.record();
    }
  };
  attempt([&] { team.join(); });
  attempt([&] { write_order(team); });
  attempt([&] { folder_.write("summary.json", summarise(team, "interrupted", seconds).dump(2)); });
  if (!team.master().is_lost()) {
    const CenterView last = team.master().view();
    attempt([&] { finish(evaluator, last, last.seconds.value_or(seconds)); });
  }
  const char* status = failure.get()    ? "failed"
                       : cut_short      ? "interrupted"
                       : diverged(team) ? "diverged"
                                        : "done";
  if (status == std::string_view("done") && never_moved(team)) {
    journal_.warn(
        "no letter has moved the center: center.safetensors holds the initial parameters");
  }
  attempt([&] { write_summary(team, status, seconds); });
  failure.rethrow_if_any();
  return cut_short ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace

ExitCode train(Config config, const std::string& out) {
  check_recordable(config);
  hear_signals();
  return Run(std::move(config), out).run();
}

}  // namespace easgd
