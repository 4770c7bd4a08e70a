// How a run goes back to its last checkpoint, and on with a lower rate.
#include <exception>
#include <utility>

#include "base/failure.h"
#include "runs/checkpoint_folder.h"
#include "train/run.h"

namespace easgd {

/// Writes all that the step back needs while the old team is still there to end the run. Once the
/// checkpoint is marked, whoever goes on from it has gone back. False, with a warning, if that
/// cannot be; without one, if something else has gone wrong, which end() tells.
bool Run::turn_back(Team& team, Evaluator& evaluator) {
  if (hurry_.has_begun()) return false;
  try {
    team.join();
  } catch (...) {
    return false;
  }
  try {
    if (team.strays() > 0) throw DataError("threads of workers that were given up are still there");
    evaluator.wait();  // it logs
    if (auto whole = team.take_checkpoint()) keeping_.keep(std::move(*whole));
    auto checkpoint =
        CheckpointFolder(folder_.path()).load([this](const std::string& m) { journal_.warn(m); });
    if (!checkpoint) throw DataError("there is no checkpoint");
    write_order(team);
    RunSummary summary = summarise(team, RunStatus::interrupted, team.seconds());
    write_summary(summary);
    turn_ = Turn{mark(*checkpoint), std::move(summary)};
    resumed_ = std::move(checkpoint);
    return true;
  } catch (const std::exception& e) {
    journal_.warn(std::string("the run does not go back: ") + e.what());
    return false;
  }
}

/// Returns what it has taken out of the log. If that fails, the checkpoint on the disk is to be
/// what it was, for the run has not gone back.
LostPart Run::mark(Checkpoint& checkpoint) {
  try {
    step_back_.mark(checkpoint);
    keeping_.write(checkpoint);
    return drop_later_events(folder_, checkpoint).lost;
  } catch (...) {
    StepBack::unmark(checkpoint);
    keeping_.write(checkpoint);
    throw;
  }
}

/// From the checkpoint. Whatever fails, the run has a result, and can go on from there.
RunResult Run::run_again() try {
  step_back_.forget_lost();
  go_on();
  order_ = make_order();  // at the lower rate
  return run_once().value();
} catch (...) {
  return fail_to_run_again();
}

RunResult Run::fail_to_run_again() {
  RunResult result{folder_.path(), turn_->summary};
  result.failure = std::current_exception();
  result.exit_code = failure_of(result.failure).code;
  result.summary.status = RunStatus::failed;
  try {
    write_summary(result.summary);
  } catch (const Error& e) {
    journal_.warn(e.what());
  }
  journal_.conclude(result.summary.status);
  return result;
}

}  // namespace easgd
