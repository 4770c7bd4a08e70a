// The lives of the workers: each is a thread with a mailbox and telemetry of its own, so that one
// that is given up while it does not move, and moves after all, meets nothing of its heir's.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

#include "exchange/mailbox.h"
#include "exchange/master.h"
#include "exchange/telemetry.h"
#include "exchange/worker.h"

namespace easgd {

struct Life {
  Life(Bell& bell, std::size_t which) : mailbox(bell, which), worker(which) {}

  Mailbox mailbox;
  WorkerTelemetry telemetry;
  const Member member{&mailbox, &telemetry};
  const std::size_t worker;
  std::uint64_t before = 0;            ///< lives of the worker before this one
  std::optional<NewLife> begins = {};  ///< nothing: the first
  /// Of the first: the life that it goes on with, from a checkpoint. Known before workers are let
  /// go.
  std::optional<NewLife> resumed = {};
  bool is_over = false;                ///< guarded by whoever decides what comes after it
  bool is_given_up = false;            ///< the same: its thread may never come back
  std::binary_semaphore has_ended{0};  ///< its thread touches nothing any more
  std::thread thread = {};
};

/// Thread: any, except as said. The lives stay where they are.
class Lives {
 public:
  explicit Lives(std::size_t workers);

  Bell& bell() { return bell_; }
  std::size_t workers() const { return current_.size(); }
  Life& current(std::size_t worker) const { return *current_[worker]; }
  /// Makes the life after one that is over: it is the current one from now on, and its counters go
  /// on.
  Life& follow(Life& life, const NewLife& begins);
  /// Waits for the thread of every life, also of those that are made meanwhile; for one that was
  /// given up, a second.
  void join();
  /// The same without an end to its patience.
  void join_strays();
  /// Threads that were given up and have not come back. What they know must stay in memory.
  std::size_t strays() const { return strays_; }

 private:
  Life* find(std::size_t index) const;
  void join_ended();

  Bell bell_;
  mutable std::mutex mutex_;  // of the list, and of threads until join()
  bool is_joining_ = false;
  std::deque<std::unique_ptr<Life>> lives_;
  std::vector<std::atomic<Life*>> current_;
  std::size_t strays_ = 0;
};

}  // namespace easgd
