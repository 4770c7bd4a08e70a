// A worker: one thread, one device, one replica, and the only training loop of the program.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "algorithms/algorithm.h"
#include "data/batch.h"
#include "exchange/checkpoint.h"
#include "exchange/deposits.h"
#include "exchange/mailbox.h"
#include "exchange/telemetry.h"
#include "settings/worker_schedule.h"

namespace easgd {

/// How a worker comes by its parts, each made on the worker's own thread.
struct WorkerParts {
  std::function<std::unique_ptr<Backend>()> backend;
  std::function<std::unique_ptr<Model>(Backend&)> model;
  std::function<std::unique_ptr<BatchSource>(Backend&)> batches;
};

/// What is referred to outlives the worker, but for its parts.
struct WorkerOptions {
  std::size_t index = 0;
  const WorkerParts& parts;
  const Algorithm& algorithm;
  RuleOptions rules;
  const WorkerSchedule& schedule;
  ConstView state0;                     ///< [P + S]: where it starts, in host memory
  std::size_t statistics = 0;           ///< S
  Deposits* deposits = nullptr;         ///< null: nobody makes checkpoints
  const Checkpoint* resumed = nullptr;  ///< that the run goes on from; null: from its beginning
};

/// Thread: made, run and destroyed on the worker's own.
class Worker {
 public:
  Worker(const WorkerOptions& options, Mailbox& mailbox, WorkerTelemetry& telemetry);
  /// Leaves the mailbox.
  ~Worker();

  /// Steps until its schedule ends, a stop is requested, or the master has closed.
  /// Throws: what the data, the device or the model throw.
  void run(std::stop_token stop);

 private:
  /// What it does next.
  enum class Stage : std::uint64_t {
    step,       ///< the step of its clock, with whatever exchange belongs to it
    push,       ///< the letter that follows that step (Timing::around)
    last_push,  ///< the letter that ends the run
    nothing,
  };
  /// What differs between a replica and the worker's own when it is laid down.
  struct Moment {
    Stage stage;
    std::uint64_t next_exchange;
    Tally tally;  ///< training loss that no letter has carried yet
    ConstView statistics;
  };

  void go_on(const Checkpoint& from);
  void go_on_from(const SavedState& replica);
  void check_next_exchange() const;
  void go_on_from_center(const Checkpoint& from);
  SavedState replica(const Moment& moment);
  void lay_down_as_posted();
  void leave(Stage stage);
  Tally tally_so_far();
  void finish_push();
  void step();
  void post(bool pull, std::uint64_t steps);
  ConstView wait_for_reply();
  void receive();
  void restart(ConstView center);
  bool finish_step(bool exchange);
  void push(std::uint64_t steps);

  const std::size_t index_;
  const Algorithm& algorithm_;
  const WorkerSchedule& schedule_;
  Deposits* const deposits_;
  WorkerTelemetry& telemetry_;
  const std::uint64_t steps_;
  const Steps profiled_;

  // In order of need: a backend outlives what it made.
  std::unique_ptr<Backend> backend_;
  LetterLane& letters_;
  std::unique_ptr<BatchSource> batches_;  // outlives the model, which may be copying from it
  std::unique_ptr<Model> model_;
  std::unique_ptr<WorkerRule> rule_;
  Buffer gradient_;        // [P]
  Buffer statistics_;      // [S]
  Buffer posted_;          // [S] as the last letter has them, if there are checkpoints
  Buffer letter_, reply_;  // [P + S], if the mailbox has no memory of the center's device
  Mailbox& mailbox_;

  std::uint64_t clock_ = 0;  // t^i of the paper
  Stage stage_ = Stage::step;
  std::uint64_t mark_ = 0;    // of the last checkpoint that the worker has laid down for
  double stalls_before_ = 0;  // seconds of before the run was resumed
  bool closed_ = false;       // the master takes no more
  ConstView pulled_;          // the reply of this step, if it came before the gradient
  bool refused_ = false;      // the last letter was not finite: the reply is where to start again
  // tau divides 0: the first letter comes before the first gradient.
  std::uint64_t next_exchange_ = 0;
};

}  // namespace easgd
