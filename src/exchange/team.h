// The master and its workers: who is born in what order, how they start together and how they end.
#pragma once

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/first_error.h"
#include "base/running_clock.h"
#include "exchange/master.h"
#include "exchange/worker.h"

namespace easgd {

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
  bool stop_on_failure = false;
  /// On the master's thread, after each version: see Master. `seconds` is the virtual time of an
  /// order that keeps one, else training time.
  std::function<bool(const CenterView&, double seconds)> on_version;
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
  /// On the worker's thread, once it has failed.
  std::function<void(int worker, const std::string& why)> on_failure;
};

/// Thread: all members are the maker's, except as said.
class Team {
 public:
  explicit Team(TeamOptions options);
  /// Stops and joins.
  ~Team();

  /// Makes the center and then every worker, each on its own thread, waits until all are ready, and
  /// lets them run.
  /// Throws: what the making of the center or of a worker threw; nobody runs then.
  void start();
  /// From any thread. Workers end after the step they are in.
  void request_stop() { stop_.request_stop(); }
  /// A checkpoint that has become whole, once. From any thread.
  std::optional<Checkpoint> take_checkpoint();
  /// After join(): that of the end, or of the moment at which a stop was heard of.
  std::optional<Checkpoint> take_last_checkpoint();
  /// Training time: since all workers were let go, up to the master's end, without pauses of the
  /// process. From any thread, after start().
  double seconds() const;
  /// The master has ended: all workers have left, or it has failed.
  bool ended() const { return ended_; }
  /// Waits for the end.
  /// Throws: what the master threw; a Bug of any worker; what the first worker threw, if all failed
  /// or one failing was to stop the rest.
  void join();

  const WorkerTelemetry& telemetry(std::size_t worker) const { return *telemetry_[worker]; }
  std::size_t workers() const { return telemetry_.size(); }
  std::size_t failed() const { return failed_; }
  /// After join().
  const Master& master() const { return *master_; }

 private:
  MasterOptions master_options();
  Checkpoints master_checkpoints();
  void run_master();
  void run_worker(std::size_t index);
  void report_failure(std::size_t worker, bool made);

  TeamOptions options_;
  std::vector<std::unique_ptr<WorkerTelemetry>> telemetry_;
  Bell bell_;
  std::vector<std::unique_ptr<Mailbox>> mailboxes_;
  std::unique_ptr<Deposits> deposits_;  // null: no checkpoints
  std::unique_ptr<Master> master_;
  std::stop_source stop_;
  RunningClock::time_point started_, ended_at_;
  std::latch master_made_{1}, workers_made_, start_{1};
  bool started_all_ = false;  // start_ has been counted down, and all threads are there
  std::atomic<std::size_t> failed_{0};
  std::atomic<bool> ended_{false};
  FirstError bug_, making_error_, worker_error_, master_error_;
  std::vector<std::thread> worker_threads_;
  std::thread master_thread_;
};

}  // namespace easgd
