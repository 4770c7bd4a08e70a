#include "runs/journal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "algorithms/algorithm.h"
#include "base/trace.h"
#include "runs/checkpoint_folder.h"
#include "runs/events.h"
#include "runs/progress.h"

namespace easgd {
namespace {

std::string mean_loss_text(const Tally& tally) {
  return tally.samples > 0 ? loss_text(tally.mean_loss()) : "-";
}

}  // namespace

Journal::Journal(const Config& config, RunFolder& folder, RunClient& client)
    : config_(config), folder_(folder), event_file_(folder, config), client_(client) {
  folder.on_warning = [&client](const std::string& what) { client.warn(what); };
}

void Journal::record(const Event& event) {
  folder_.log(event);
  event_file_.log(event);
}

void Journal::go_on(const EarlierPart& earlier) {
  stored_ = earlier_ = earlier.version;
  seconds_ = earlier.seconds;
  first_step_ = earlier.steps;
  next_progress_ = earlier.seconds + kFirstProgressSeconds;
  refusals_reported_ = earlier.refused;
}

void Journal::report(const LostPart& lost) {
  const double seconds = seconds_;
  client_.line(fmt::format("goes on from version {}, after {:.1f} s; lost: {} version{}, {:.1f} s",
                           earlier_, seconds, lost.versions, lost.versions == 1 ? "" : "s",
                           lost.seconds));
  record(ResumeEvent{.seconds = seconds,
                     .is_virtual = is_virtual(),
                     .version = earlier_,
                     .file = CheckpointFolder::file_of(earlier_),
                     .lost_seconds = lost.seconds,
                     .lost_versions = lost.versions});
}

void Journal::announce(const Data& data, const Network& network, const WorkerSchedule& schedule) {
  event_file_.begin(first_step_);
  classes_ = network.classes();
  const AlgorithmConfig& a = config_.algorithm;
  const Algorithm& algorithm = Registry<Algorithm>::get(a.name);
  client_.line(fmt::format("{}: {} training and {} test images of {} classes ({})",
                           config_.data.set, data.train_size, data.test_size, network.classes(),
                           data.split.source));
  client_.line(fmt::format("network: {} parameters, {:.4g} MFLOP a sample forward",
                           network.parameter_count(), network.forward_flops() / 1e6));
  client_.line(fmt::format("workers: {}, batch {}, {} thread(s) each, {}",
                           fmt::join(config_.workers.devices, " "), config_.workers.batch,
                           config_.workers.threads, config_.workers.precision));
  if (config_.center.place != "pinned") {
    client_.line(fmt::format("center: {}", config_.center.place));
  }
  if (algorithm.coupling != Coupling::none) {
    const ElasticRates& e = schedule.elastic();
    client_.line(fmt::format("{}, {}: tau {}, alpha {:.6g}, beta {:.6g}, rho {:.6g}", a.name,
                             config::name_of(a.exchange), a.tau, e.alpha, e.beta, e.rho));
  } else {
    client_.line(fmt::format("{}{}: tau {}", a.name,
                             algorithm.single ? "" : ", " + config::name_of(a.exchange), a.tau));
  }
}

void Journal::warn(const std::string& message) {
  client_.warn(message);
  record(WarningEvent{.message = message, .seconds = seconds_, .is_virtual = is_virtual()});
}

void Journal::warn_of_schedule(const WorkerSchedule& schedule) {
  const Algorithm& algorithm = Registry<Algorithm>::get(config_.algorithm.name);
  if (algorithm.elastic_region) {
    const auto warning = stability_warning(config_.algorithm, schedule.elastic());
    if (warning) warn(*warning);
  }
  const std::uint64_t tau = schedule.tau(0), steps = schedule.steps(0);
  const Steps profiled = schedule.profiled();
  if (profiled.first < profiled.last && !can_trace()) {
    warn("profile.steps: this program was built without NVTX, which profilers listen to");
  }
  if (profiled.first < profiled.last && profiled.first >= steps) {
    warn(fmt::format("profile.steps begins at {}, but a worker takes {} steps", profiled.first,
                     steps));
  }
  if (!algorithm.last_letter && tau >= steps) {
    const char* what = algorithm.timing == Timing::around
                           ? ""
                           : ", sent before the first: the center will not move";
    warn(fmt::format("tau {} leaves the center one letter of each worker, which takes {} step{}{}",
                     tau, steps, steps == 1 ? "" : "s", what));
  }
}

namespace {

/// For programs, and for people.
struct Consequence {
  const char *word, *text, *what = "failed";
};
Consequence consequence_of(WorkerFailure::After after) {
  switch (after) {
    case WorkerFailure::After::is_gone:
      return {"gone", "the others go on without it"};
    case WorkerFailure::After::begins_again:
      return {"restart", "it begins again from the center"};
    case WorkerFailure::After::is_left_behind:
      return {"left", "the run ends without its last letter", "is left behind"};
    case WorkerFailure::After::run_ends:
      break;
  }
  return {"stop", "the run ends"};
}

}  // namespace

void Journal::report(const WorkerFailure& f, double seconds) {
  const Consequence consequence = consequence_of(f.after);
  client_.warn(fmt::format("worker {} on {} {}: {}; {}", f.worker,
                           config_.workers.devices[f.worker], consequence.what, f.why,
                           consequence.text));
  record(WarningEvent{
      .message = f.why, .worker = f.worker, .seconds = seconds, .is_virtual = is_virtual()});
  record(FailureEvent{.seconds = seconds,
                      .is_virtual = is_virtual(),
                      .worker = f.worker,
                      .step = f.step,
                      .version = f.version,
                      .reason = f.why,
                      .then = consequence.word});
}

void Journal::report(const Beginning& b, double seconds) {
  client_.line(fmt::format("worker {} goes on with step {} from the center of version {}", b.worker,
                           b.step, b.version));
  record(RestartEvent{.seconds = seconds,
                      .is_virtual = is_virtual(),
                      .worker = b.worker,
                      .step = b.step,
                      .version = b.version});
}

void Journal::report(const LostLoss& lost, double seconds) {
  client_.warn(fmt::format("the training loss is lost at version {}: {}; the run ends",
                           lost.version, lost.why));
  record(GuardEvent{.seconds = seconds,
                    .is_virtual = is_virtual(),
                    .version = lost.version,
                    .reason = lost.why,
                    .then = "stop"});
}

void Journal::report_step_back(const LostLoss& lost, double seconds, std::uint64_t to_version) {
  event_file_.begin(first_step_);
  client_.warn(
      fmt::format("the training loss is lost at version {}: {}; the run goes back to version {}, "
                  "and on with {} of the learning rate",
                  lost.version, lost.why, to_version, config_.guard.rate));
  record(GuardEvent{.seconds = seconds,
                    .is_virtual = is_virtual(),
                    .version = lost.version,
                    .reason = lost.why,
                    .then = "back",
                    .to_version = to_version});
}

void Journal::warn_of_refusals(const Team& team) {
  for (std::size_t i = 0; i < team.workers() && !refusals_reported_; ++i) {
    if (team.telemetry(i).refused == 0) continue;
    warn(fmt::format(
        "a letter of worker {} was not finite, at about step {}: it is refused, and the "
        "worker starts again from the center (a lower learning rate?)",
        i, team.telemetry(i).clock.load()));
    refusals_reported_ = true;
  }
}

void Journal::report(const Evaluation& e, double epoch) {
  const std::optional<double> top5_error = e.test.top5_error(classes_);
  record(EvaluationEvent{.time = e.seconds,
                         .version = e.version,
                         .steps = e.steps,
                         .epoch = epoch,
                         .train_loss = e.train.mean_loss(),
                         .test_loss = e.test.mean_loss(),
                         .test_error = e.test.error(),
                         .test_top5_error = top5_error});
  client_.line(fmt::format(
      "{:6.1f} s | epoch {:5.2f} | train loss {} | test loss {} | error {:.2f} %{}", e.seconds,
      epoch, mean_loss_text(e.train), mean_loss_text(e.test), 100 * e.test.error(),
      top5_error ? fmt::format(" | top-5 {:.2f} %", 100 * *top5_error) : ""));
}

void Journal::report(const StoredCheckpoint& c) {
  const std::string file = CheckpointFolder::file_of(c.version);
  if (std::exchange(stored_, c.version) != c.version) {
    record(CheckpointEvent{.seconds = c.seconds,
                           .is_virtual = is_virtual(),
                           .version = c.version,
                           .file = file,
                           .bytes = c.bytes,
                           .write_seconds = c.write_seconds});
  }
  client_.line(fmt::format("version {} is safe: {}, {:.3g} MB in {:.2f} s", c.version, file,
                           double(c.bytes) / 1e6, c.write_seconds));
}

bool Journal::is_virtual() const {
  return config_.center.order == OrderKind::virtual_time;
}

void Journal::log_progress(const ProgressState& state) {
  seconds_ = state.seconds;
  if (state.seconds < next_progress_) return;
  log_progress_now(state);
}

void Journal::log_progress_now(const ProgressState& state) {
  seconds_ = state.seconds;
  next_progress_ = state.seconds + kProgressSeconds;
  ProgressEvent event{.seconds = state.seconds,
                      .is_virtual = is_virtual(),
                      .fraction = state.fraction,
                      .epoch = state.epoch,
                      .images_per_second = state.images_per_second,
                      .workers = {}};
  for (const WorkerState& worker : state.workers) event.workers.push_back(worker.counts);
  record(event);
}

}  // namespace easgd
