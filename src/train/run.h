// A run while it goes on: who is born, in what order, and how they end.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/warning.h"
#include "evaluate/evaluation_clock.h"
#include "evaluate/evaluator.h"
#include "exchange/team.h"
#include "runs/best_file.h"
#include "runs/center_file.h"
#include "runs/evaluation_log.h"
#include "runs/journal.h"
#include "runs/pending_tests.h"
#include "runs/run_folder.h"
#include "train/find_environment.h"
#include "train/resolve.h"
#include "train/resumed_run.h"
#include "train/run_keeping.h"
#include "train/step_back.h"
#include "train/trainer.h"
#include "train/watch.h"

namespace easgd {

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
  bool turn_back(Team& team, Evaluator& evaluator);
  LostPart mark(Checkpoint& checkpoint);
  RunResult run_again();
  RunResult fail_to_run_again();
  void go_on();
  void begin_again();
  bool is_enough(const Evaluation& evaluation) const;
  [[noreturn]] void fail_to_go_on(const DataError& e) const;
  void start(Evaluator& evaluator);
  void announce();
  TeamOptions team_options(Evaluator& evaluator);
  TeamOptions::Checkpoints checkpoint_options(Evaluator& evaluator);
  bool offer(Evaluator& evaluator, const CenterView& center, double seconds);
  void note_pending(const CenterView& center, double seconds);
  bool pauses(Evaluator& evaluator, const CenterView& center, double seconds);
  EvaluatorOptions evaluator_options();
  void begin_files();
  RunResult end(Team& team, Evaluator& evaluator);
  std::optional<Checkpoint> take_checkpoint(Team& team);
  bool is_cut_short_late(const Evaluator& evaluator);
  void finish(Evaluator& evaluator, const Team& team);
  void write_order(const Team& team);
  void write_summary(const RunSummary& summary);
  RunSummary summarise(const Team& team, RunStatus status, double seconds) const;

  /// A step back that is on the disk.
  struct Turn {
    LostPart lost;       ///< taken out of the log
    RunSummary summary;  ///< of before
  };

  ResolvedRun run_;
  const RunPlace place_;
  const Environment environment_{find_environment(run_.config.workers.devices)};
  RunClient& client_;
  std::atomic<bool> good_enough_{false};  // stop.test_error has been reached
  std::atomic<bool> paused_{false};       // where the place says
  Hurry hurry_{client_};
  std::unique_ptr<OrderPolicy> order_;
  RunFolder folder_;
  std::optional<Checkpoint> resumed_;  // that the run goes on from
  Journal journal_;
  WarningScope warnings_{[this](const std::string& message) { journal_.warn(message); }};
  CenterFile center_file_;
  BestFile best_file_;
  EvaluationClock clock_;
  EvaluationLog evaluations_;
  PendingTests pending_;
  StepBack step_back_;
  RunKeeping keeping_;
  std::optional<Turn> turn_;
  Team* team_ = nullptr;
  std::size_t strays_ = 0;
};

}  // namespace easgd
