// What a run asks of its team and of its evaluator.
#include <utility>

#include "evaluate/test_set.h"
#include "settings/algorithm_keys.h"
#include "train/run.h"
#include "train/worker_parts.h"

namespace easgd {
namespace {

/// A replay repeats what befell its workers, and knows no other failures.
FailurePolicy failure_policy(const Config& config) {
  if (config.center.order == OrderKind::replay) return {};
  return {.on_failure = config.workers.on_failure,
          .refusals = std::uint64_t(config.workers.refusals),
          .needs_all_data = config.data.on_bad_image == OnBadImage::stop};
}

/// Those of workers that are not gone, once some are.
std::vector<std::uint64_t> steps_left(const Team& team, std::span<const std::uint64_t> steps) {
  std::vector<std::uint64_t> left;
  for (std::size_t i = 0; team.failed() > 0 && i < steps.size(); ++i) {
    if (!team.is_gone(i)) left.push_back(steps[i]);
  }
  return left;
}

}  // namespace

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
            if (!offer(evaluator, center, seconds)) return false;
            clock_.begun(center, seconds);
            return true;
          },
      .on_failure = [this](const WorkerFailure& f, double seconds) { journal_.report(f, seconds); },
      .on_begin = [this](const Beginning& b, double seconds) { journal_.report(b, seconds); }};
  options.checkpoints = checkpoint_options(evaluator);
  const bool is_replay = run_.config.center.order == OrderKind::replay;
  if (run_.config.guard.action != GuardAction::none && !is_replay) {
    options.on_loss = [this](double loss, std::uint64_t version) {
      const bool is_lost = !paused_ && step_back_.heed(loss, version);
      if (is_lost) team_->request_stop();
      return is_lost;
    };
  }
  for (std::size_t i = 0; i < run_.workers.size(); ++i) {
    options.workers.push_back(worker_parts(run_, i));
  }
  return options;
}

TeamOptions::Checkpoints Run::checkpoint_options(Evaluator& evaluator) {
  TeamOptions::Checkpoints options{.wanted = run_.config.checkpoint.keep > 0};
  options.is_due = [this](const CenterView& center, double seconds) {
    return keeping_.is_due(center, seconds);
  };
  options.add = [this](Checkpoint& checkpoint, const CenterView&, double seconds) {
    keeping_.add(checkpoint, seconds);
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

/// Of the center that the master has now.
bool Run::offer(Evaluator& evaluator, const CenterView& center, double seconds) {
  if (evaluator.is_busy()) return false;
  if (!evaluator.failed()) note_pending(center, seconds);
  return evaluator.offer(center, seconds);
}

/// Checkpoints know of it until its test is done.
void Run::note_pending(const CenterView& center, double seconds) {
  if (run_.config.checkpoint.keep > 0) pending_.add(center, seconds);
}

/// Here, with an evaluation of this very center. It is one beside those that are due, whose times
/// and losses stay what they would be.
bool Run::pauses(Evaluator& evaluator, const CenterView& center, double seconds) {
  const std::vector<std::uint64_t> left = steps_left(*team_, center.steps);
  const std::span<const std::uint64_t> steps = left.empty() ? center.steps : left;
  if (!place_.pause->is_reached(clock_.epoch(center.steps), steps)) return false;
  if (step_back_.lost()) return false;  // the run has ended before
  evaluator.wait();
  if (evaluations_.last_version() != center.version) offer(evaluator, center, seconds);
  paused_ = true;
  return true;
}

EvaluatorOptions Run::evaluator_options() {
  EvaluatorOptions options{
      .make_test =
          [this] {
            return std::make_unique<TestSet>(run_.config, *run_.data, run_.network,
                                             [this] { return hurry_.is_over(); });
          },
      .save =
          [this](const Snapshot& s) {
            keeping_.check_can_write(s.version);
            center_file_.save(s.center, s.version);
          },
      .report =
          [this](const Evaluation& e) {
            journal_.report(e, clock_.epoch(e.steps));  // before a checkpoint says that it is there
            evaluations_.add(e);
            pending_.end(e.version);
            if (is_enough(e)) good_enough_ = true;
          },
      .warn = [this](const std::string& message) { journal_.warn(message); },
      .evaluated = evaluations_.last_version(),
  };
  if (run_.config.checkpoint.best) {
    options.keep_best = [this](const Evaluation& e, ConstView state) {
      best_file_.offer(e, state);
    };
  }
  return options;
}

}  // namespace easgd
