// The master and its workers: who is born in what order, how they start together and how they end.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/first_error.h"
#include "base/running_clock.h"
#include "exchange/lives.h"
#include "exchange/master.h"
#include "exchange/worker.h"
#include "settings/choices.h"

namespace easgd {

/// A worker that has failed, and what comes after that; or one that did not move when the run was
/// to end, which goes on from there with the run.
struct WorkerFailure {
  enum class After { is_gone, begins_again, run_ends, is_left_behind };

  std::size_t worker = 0;
  std::uint64_t step = 0;     ///< in which it has failed
  std::uint64_t version = 0;  ///< of the center at about that time
  std::string why = {};
  After after = After::is_gone;
};

/// What a worker is allowed before it has failed, and what comes after that.
struct FailurePolicy {
  OnFailure on_failure = OnFailure::go_on;
  std::uint64_t refusals = 0;   ///< letters in a row that are refused; 0: any number
  bool needs_all_data = false;  ///< a worker that cannot read its data ends the run
};

struct TeamOptions {
  const Algorithm* algorithm = nullptr;
  const WorkerSchedule* schedule = nullptr;
  /// Of the algorithm's own keys; null if it has none.
  std::shared_ptr<const AlgorithmOptions> own = {};
  CenterPlacement placement = {};
  std::vector<WorkerParts> workers;
  std::unique_ptr<OrderPolicy> order;
  ConstView state0;  ///< [P + S], the start of the center and of every worker, in host memory
  Statistics statistics = {};
  FailurePolicy policy = {};
  /// On the master's thread, after each version: see Master. `seconds` is the virtual time of an
  /// order that keeps one, else training time.
  std::function<bool(const CenterView&, double seconds)> on_version;
  /// On the master's thread: see Master.
  std::function<bool(double loss, std::uint64_t version)> on_loss = {};
  /// Whether and when checkpoints are made, and what the run's maker adds to each, on the master's
  /// thread. `seconds` is training time, also where time is virtual.
  struct Checkpoints {
    bool wanted = false;
    std::function<bool(const CenterView&, double seconds)> is_due = {};
    std::function<void(Checkpoint&, const CenterView&, double seconds)> add = {};
    /// The run is to stop at this version, and its last checkpoint is of it. May wait. `seconds` as
    /// for on_version.
    std::function<bool(const CenterView&, double seconds)> pauses = {};
    const Checkpoint* resumed = nullptr;  ///< that the run goes on from; outlives start()
    double seconds = 0;                   ///< training time that it has behind it
  } checkpoints = {};
  /// On the worker's thread, or that of give_up(), once it has failed; one at a time, in their
  /// order, and before on_begin of what follows. Must not give up anybody. `seconds` of training
  /// time.
  std::function<void(const WorkerFailure&, double seconds)> on_failure = {};
  /// On the master's thread, when a worker that has failed is given the center.
  std::function<void(const Beginning&, double seconds)> on_begin = {};
};

/// Thread: all members are the maker's, except as said.
class Team {
 public:
  /// A worker that has failed so often without a letter of new steps in the center is gone.
  static constexpr std::uint64_t kMostInVain = 3;

  explicit Team(TeamOptions options);
  /// Stops and joins, strays too: whoever cannot wait for these leaves the team in memory, with all
  /// that its options refer to.
  ~Team();

  /// Makes the center and then every worker, each on its own thread, waits until all are ready,
  /// calls `before_they_run`, and lets them run.
  /// Throws: what the making of the center or of a worker threw, or that call; nobody runs then.
  void start(const std::function<void()>& before_they_run = [] {});
  /// From any thread. Workers end after the step they are in.
  void request_stop() { stop_.request_stop(); }
  /// Somebody has: the maker, the master at a pause, or a failure that ends the run.
  bool is_to_stop() const { return stop_.stop_requested(); }
  /// A checkpoint that has become whole, once. From any thread.
  std::optional<Checkpoint> take_checkpoint();
  /// After join(): that of the end, or of the moment at which a stop was heard of.
  std::optional<Checkpoint> take_last_checkpoint();
  /// Training time: since all workers were let go, up to the master's end, without pauses of the
  /// process. From any thread, after start().
  double seconds() const;
  /// The master has ended: all workers have left, or it has failed.
  bool ended() const { return ended_; }
  /// The same, but waits for it as long as that. From any thread.
  bool ends_within(std::chrono::milliseconds time) const;
  /// Its letter is out: it is the master's turn.
  bool is_waiting(std::size_t worker) const {
    return lives_.current(worker).mailbox.state() == Mailbox::State::posted;
  }
  /// A worker that does not move has failed: nobody waits for it any more. A thread cannot be
  /// killed, but this one gets no further than its next visit to the master. Does nothing and
  /// returns false while its letter is out, if it has ended, and if it is in another life than the
  /// one with the telemetry `of`. From the thread that joins.
  bool give_up(std::size_t worker, const std::string& why, const WorkerTelemetry* of = nullptr);
  /// The same, but not a failure: the run ends, and does not wait for it. Whoever goes on has the
  /// worker again, which begins from the center. False as well where the center is on a device, to
  /// which the thread may still write.
  bool leave_behind(std::size_t worker, const std::string& why, const WorkerTelemetry* of);
  /// Workers that were left behind.
  std::size_t left_behind() const { return left_behind_; }
  /// In free order, from any thread: whether checkpoints do without a replica of a worker that does
  /// not move, and have it begin again from the center. Those that are made while it is so.
  void note_still(std::size_t worker, bool is_still) { is_still_[worker] = is_still; }
  /// Waits for the end; for threads of workers that were given up, a second.
  /// Throws: what the master threw; a Bug of any worker; what the first worker threw, if all failed
  /// or one failing was to stop the rest.
  void join();

  const WorkerTelemetry& telemetry(std::size_t worker) const {
    return lives_.current(worker).telemetry;
  }
  std::size_t workers() const { return lives_.workers(); }
  /// Workers that are gone after a failure.
  std::size_t failed() const { return failed_; }
  /// This one is. From any thread, without waiting for any.
  bool is_gone(std::size_t worker) const { return is_gone_[worker]; }
  /// How often workers have begun again, also before the checkpoint that the run goes on from.
  std::size_t restarts() const { return restarts_; }
  /// After join(): threads that were given up and have not come back. See ~Team().
  std::size_t strays() const { return lives_.strays(); }
  /// After join(): the order in which the master was visited, and what befell whom.
  Recording recording() const;
  /// After join().
  const Master& master() const { return *master_; }

 private:
  MasterOptions master_options();
  Checkpoints master_checkpoints();
  void run_master();
  /// What follows a failure.
  struct Sequel {
    std::optional<NewLife> next = {};  ///< nothing: the worker is gone
    Life* heir = nullptr;              ///< that lives it; null: the run ends before
    const Member* member() const { return heir ? &heir->member : nullptr; }
  };

  WorkerOptions worker_options(const Life& life) const;
  void live(Life& life);
  Worker::Ending live_through(Life& life, bool& made);
  bool is_gone_since_before(std::size_t worker) const;
  std::size_t restarts_before() const;
  void end(Life& life, Worker::Ending ending);
  void fail(Life& life, bool made);
  WorkerFailure failure_of_life(const Life& life, const std::string& why) const;
  std::optional<NewLife> life_after(const Life& life, WorkerFailure& failure) const;
  Sequel make_sequel(Life& life, WorkerFailure& failure);
  bool stops_at_failure() const {
    return options_.policy.on_failure == OnFailure::stop || lacks_data_;
  }
  void settle(Life& life, WorkerFailure& failure, const Sequel& sequel);
  void start(Life& life);
  bool start_heir(Life& heir);
  void record_gone(std::size_t worker, std::uint64_t step);
  void note_gone(Life& life, std::uint64_t step, std::optional<SavedState> remains);
  void report(const WorkerFailure& failure, double at);

  TeamOptions options_;
  Lives lives_;
  std::mutex fate_;                     // of lives: who decides what comes after one
  std::unique_ptr<Deposits> deposits_;  // null: no checkpoints
  std::unique_ptr<Master> master_;
  std::stop_source stop_;
  RunningClock::time_point started_, ended_at_;
  std::latch master_made_{1}, workers_made_, start_{1};
  bool started_all_ = false;  // start_ has been counted down, and all threads are there
  std::atomic<std::size_t> failed_{0}, restarts_{0};
  std::vector<Incident> gone_;  // guarded by fate_, with which threads wait for the master
  std::vector<std::atomic<bool>> is_gone_, is_still_;
  std::size_t left_behind_ = 0;
  bool were_all_gone_ = false;  // in the checkpoint that the run goes on from
  std::atomic<bool> ended_{false};
  mutable std::mutex end_;  // for who waits for it
  mutable std::condition_variable end_came_;
  FirstError bug_, making_error_, worker_error_, master_error_;
  std::atomic<bool> lacks_data_{false};  // of a run that needs all
  std::thread master_thread_;
};

}  // namespace easgd
