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
#include "exchange/rate_cuts.h"
#include "exchange/telemetry.h"
#include "settings/worker_schedule.h"

namespace easgd {

/// How a worker comes by its parts, each made on the worker's own thread.
struct WorkerParts {
  std::function<std::unique_ptr<Backend>()> backend;
  std::function<std::unique_ptr<Model>(Backend&)> model;
  std::function<std::unique_ptr<BatchSource>(Backend&)> batches;
  /// Puts the faults into the model that debug.fail asks for: see with_faults(). Empty: none.
  std::function<std::unique_ptr<Model>(Backend&, std::unique_ptr<Model>,
                                       std::optional<std::uint64_t> began)>
      faults = {};
};

/// Of a worker that takes the place of one that has failed.
struct NewLife {
  std::uint64_t step = 0;     ///< with which it begins
  std::uint64_t in_vain = 0;  ///< lives right before it of which the center has nothing
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
  std::optional<NewLife> life = {};     ///< begins again from the center
  std::uint64_t before = 0;             ///< lives of the worker before this one
  std::uint64_t refusals = 0;  ///< letters in a row that are refused before it fails; 0: any number
};

/// Thread: made, run and destroyed on the worker's own.
class Worker {
 public:
  Worker(const WorkerOptions& options, Mailbox& mailbox, WorkerTelemetry& telemetry);
  /// Waits for a letter that is out to be answered. After that it may leave its mailbox.
  ~Worker();

  /// It has come to its end; or to a stop, before it could begin again after a failure; or, in a
  /// replay, to where the recorded one was gone by a failure.
  enum class Ending { usual, not_begun, gone };
  /// Steps until its schedule ends, a stop is requested, or the master has closed.
  /// Throws: what the data, the device or the model throw; DataError if too many letters in a row
  /// were refused.
  Ending run(std::stop_token stop);

  /// What a checkpoint has of a worker that is gone after its step `clock`, instead of a replica.
  static SavedState left_by_gone(std::uint64_t clock);
  /// What it has of one that failed and would have begun again.
  static SavedState left_for(const NewLife& next);
  /// The clock, if the worker was gone when the checkpoint was made.
  static std::optional<std::uint64_t> gone_at(const Checkpoint& checkpoint, std::size_t worker);
  /// Whether all were: who goes on with it has them begin again.
  static bool were_all_gone(const Checkpoint& checkpoint, std::size_t workers);
  /// What a checkpoint knows of the life that the worker is in.
  static std::optional<NewLife> life_in(const Checkpoint& checkpoint, std::size_t worker);
  /// The first that a worker does who goes on from there is to begin again from the center.
  static bool begins_in(const Checkpoint& checkpoint, std::size_t worker);

 private:
  /// What it does next.
  enum class Stage : std::uint64_t {
    step,       ///< the step of its clock, with whatever exchange belongs to it
    push,       ///< the letter that follows that step (Timing::around)
    last_push,  ///< the letter that ends the run
    nothing,
    begin,  ///< the visit by which it begins again from the center
  };
  /// What differs between a replica and the worker's own when it is laid down.
  struct Moment {
    Stage stage;
    std::uint64_t next_exchange;
    Tally tally;    ///< training loss that no letter has carried yet
    RateCuts cuts;  ///< as they were then
    ConstView statistics;
    bool has_stepped;  ///< since it was given the center
  };

  void go_on(const Checkpoint& from);
  void go_on_from(const SavedState& replica);
  void begin_at(std::uint64_t clock);
  void begin_again();
  bool has_more() const;
  bool is_life_over() const;
  Ending end_life();
  void note_answer(Mailbox::Reply kind);
  void check_next_exchange() const;
  SavedState replica(const Moment& moment);
  void lay_down_as_posted();
  void lay_down_if_owed();
  void leave(Stage stage);
  Tally tally_so_far();
  Tally tally_for_letter();
  Rates rates() const;
  double learning_rate() const;
  void look_at_loss();
  void finish_push();
  void step();
  void post(Visit visit, std::uint64_t steps);
  ConstView wait_for_reply();
  void receive();
  void restart(ConstView center);
  bool finish_step(bool exchange);
  void push(std::uint64_t steps);

  const std::size_t index_;
  const Algorithm& algorithm_;
  const WorkerSchedule& schedule_;
  Deposits* const deposits_;
  const Depositor depositor_;
  WorkerTelemetry& telemetry_;
  const std::uint64_t steps_;
  const Steps profiled_;
  const std::span<const LifeEnd> lives_;  // of a replay
  const std::uint64_t most_refusals_;
  const std::optional<NewLife> life_;  // nothing: the first

  // In order of need: a backend outlives what it made.
  std::unique_ptr<Backend> backend_;
  LetterLane& letters_;
  std::unique_ptr<BatchSource> batches_;  // outlives the model, which may be copying from it
  std::unique_ptr<Model> model_;
  std::function<std::unique_ptr<WorkerRule>()> make_rule_;
  std::unique_ptr<WorkerRule> rule_;
  Buffer gradient_;        // [P]
  Buffer statistics_;      // [S]
  Buffer posted_;          // [S] as the last letter has them, if there are checkpoints
  Buffer letter_, reply_;  // [P + S], if the mailbox has no memory of the center's device
  Mailbox& mailbox_;

  std::uint64_t clock_ = 0;      // t^i of the paper
  RateCuts cuts_, posted_cuts_;  // the latter as they were before the last letter was posted
  Stage stage_ = Stage::step;
  std::uint64_t mark_ = 0;             // of the last checkpoint that the worker has laid down for
  double stalls_before_ = 0;           // seconds of before the run was resumed
  std::optional<Timed> running_ = {};  // since run() was called
  bool closed_ = false;                // the master takes no more
  ConstView pulled_;                   // the reply of this step, if it came before the gradient
  bool refused_ = false;  // the last letter was not finite: the reply is where to start again
  // tau divides 0: the first letter comes before the first gradient.
  std::uint64_t next_exchange_ = 0;
  std::uint64_t refused_in_row_ = 0;
  bool has_stepped_ = false;       // since it was given the center
  bool letter_has_steps_ = false;  // what has_stepped_ was when the last letter was posted
  std::uint64_t lives_over_ = 0;   // of lives_
  std::uint64_t visits_ = 0;  // that were answered in this life, but for those by which it began
  bool has_begun_ = true;     // in this life; not yet where it has to be given the center
};

}  // namespace easgd
