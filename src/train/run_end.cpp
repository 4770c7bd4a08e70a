// How a run ends: what is written, and what is said of it.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/failure.h"
#include "base/first_error.h"
#include "exchange/team_totals.h"
#include "runs/summarise.h"
#include "train/run.h"

namespace easgd {

/// Whatever has failed, everything that was reached is kept; the first failure is the result's, and
/// of others it is warned.
RunResult Run::end(Team& team, Evaluator& evaluator) {
  const double seconds = team.seconds();
  bool cut_short = !paused_ && hurry_.has_begun();
  FirstError failure;
  const auto attempt = [&](const auto& part) {
    try {
      part();
    } catch (...) {
      const std::string message = failure_of(std::current_exception()).message;
      failure.record();
      if (message != failure_of(failure.get()).message) journal_.warn(message);
    }
  };
  if (const auto& lost = step_back_.lost()) journal_.report(*lost, seconds);
  attempt([&] { team.join(); });
  attempt([&] { write_order(team); });
  std::optional<Checkpoint> checkpoint = take_checkpoint(team);
  const auto save = [&] {
    auto last = std::exchange(checkpoint, std::nullopt);
    if (!last) return;
    if (paused_) evaluator.wait();  // nobody is in a hurry, and no test is done again
    keeping_.save(*std::move(last));
  };
  if (cut_short || paused_ || failure.get() || evaluator.failed()) attempt(save);
  attempt([&] {  // in case a signal ends the last evaluation
    write_summary(summarise(team, RunStatus::interrupted, seconds));
  });
  attempt([&] {  // the pause's own evaluation may be the one that the run was for
    if (paused_) evaluator.wait();
    if (good_enough_) paused_ = false;
    finish(evaluator, team);
  });
  cut_short = cut_short || is_cut_short_late(evaluator);
  if (cut_short || failure.get()) attempt(save);  // unless it was
  const bool still = never_moved(team, run_.state0);
  const RunStatus status = verdict({.failed = bool(failure.get()),
                                    .interrupted = cut_short,
                                    .paused = paused_,
                                    .lost_loss = step_back_.lost().has_value(),
                                    .never_moved = still,
                                    .refusals = lasting_refusals(team.recording()),
                                    .totals = totals_of(team),
                                    .evaluations = evaluations_.all()});
  if (status == RunStatus::done && still) {
    journal_.warn(
        "no letter has moved the center: center.safetensors holds the initial parameters");
  }
  RunResult result{folder_.path(), summarise(team, status, seconds)};
  if (const std::string why = folder_.sync(); !why.empty()) journal_.warn(why);
  attempt([&] { write_summary(result.summary); });
  if (cut_short) result.exit_code = ExitCode::interrupted;
  result.failure = failure.get();
  if (result.failure) {
    result.exit_code = failure_of(result.failure).code;
    result.summary.status = RunStatus::failed;
  }
  journal_.conclude(result.summary.status);
  return result;
}

/// That of the end. Where there is none, or nobody is to go on from it, one made on the way that
/// nobody has written yet.
std::optional<Checkpoint> Run::take_checkpoint(Team& team) {
  // From a loss that is lost nobody is to go on. Whoever was left behind would begin again: in a
  // fixed order other bytes would follow.
  const bool others_follow = team.left_behind() > 0 && !run_.config.is_order_free();
  std::optional<Checkpoint> last;
  if (!step_back_.lost() && !others_follow) last = team.take_last_checkpoint();
  return last ? std::move(last) : team.take_checkpoint();
}

/// The end was wanted while the last center was evaluated, and it came in the way of something.
bool Run::is_cut_short_late(const Evaluator& evaluator) {
  if (step_back_.lost() || !hurry_.has_begun()) return false;
  return !paused_ || evaluator.gave_up();
}

/// Evaluates the last center, if it is there.
void Run::finish(Evaluator& evaluator, const Team& team) {
  if (paused_) return evaluator.finish();  // it was offered
  if (team.master().is_lost()) return;
  const CenterView last = team.master().view();
  const double seconds = last.seconds.value_or(team.seconds());
  evaluator.wait();
  if (evaluations_.last_version() != last.version) note_pending(last, seconds);
  try {
    evaluator.finish(last, seconds);
  } catch (const Error& error) {
    // Says that the saved center is not the last one, if it is not.
    std::error_code ignored;
    const std::optional<std::uint64_t> saved = std::filesystem::exists(center_file_.path(), ignored)
                                                   ? center_file_.version()
                                                   : std::nullopt;
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
  if (const auto back = step_back_.went_back()) {
    recording.incidents.push_back({.at = recording.letters.size(),
                                   .worker = 0,
                                   .kind = Incident::Kind::went_back,
                                   .clock = *back});
  }
  folder_.write("order.bin", [&](std::ostream& file) { recording.write(file, team.workers()); });
}

void Run::write_summary(const RunSummary& summary) {
  folder_.write("summary.json", text_of(summary));
}

RunSummary Run::summarise(const Team& team, RunStatus status, double seconds) const {
  RunSummary summary = easgd::summarise(
      {.config = run_.config,
       .identity = run_.identity,
       .rates = run_.schedule.elastic(),
       .team = team,
       .train_size = run_.data->train_size,
       .classes = run_.network.classes(),
       .bad_images = run_.data->split.train->bad_images() + run_.data->split.test->bad_images(),
       .seconds = seconds,
       .environment = environment_},
      evaluations_.all(), status);
  if (status == RunStatus::paused) summary.paused_at = place_.pause->text();
  return summary;
}

}  // namespace easgd
