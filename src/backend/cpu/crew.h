// The threads of one worker on the CPU: its own, and those that help it.
//
// Work is handed out in numbered tasks, each to whoever is free. A thread that something else keeps
// from its core costs the task that it is at, no more, and whoever waits sleeps. Whoever computes
// a task does so without denormals, so that bits do not depend on who that is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

#include "backend/cpu/flushed_denormals.h"
#include "backend/cpu/task_gate.h"
#include "base/first_error.h"

namespace easgd::cpu {

/// Below this many elements of a pass over memory (50 us on one AVX2 core) the helpers are left
/// asleep: they would save little.
constexpr std::size_t kWorthThreads = 1 << 17;

/// Thread: its maker's, which is one of the crew.
class Crew {
 public:
  /// Throws: DeviceError if the system has no thread left.
  explicit Crew(int threads);
  ~Crew();
  Crew(const Crew&) = delete;

  std::size_t threads() const { return helpers_.size() + 1; }

  /// Calls task(i) for every i in [0, count), on any thread of the crew; returns when all are done.
  /// Throws: what one of them threw; the others may not have been called then.
  template <class Task>
  void run(std::size_t count, const Task& task) {
    const FlushedDenormals scope;
    if (count <= 1 || helpers_.empty()) {
      for (std::size_t i = 0; i < count; ++i) task(i);
      return;
    }
    hand_out(count,
             {&task, [](const void* of, std::size_t i) { (*static_cast<const Task*>(of))(i); }});
  }

  /// Calls f(begin, end) for ranges of [0, count), of elements of a pass over memory.
  template <class Function>
  void run_ranges(std::size_t count, const Function& f) {
    const FlushedDenormals scope;
    if (count < kWorthThreads) return f(std::size_t{0}, count);
    constexpr std::size_t kRange = kWorthThreads / 4;
    run((count + kRange - 1) / kRange,
        [&](std::size_t i) { f(i * kRange, std::min(count, (i + 1) * kRange)); });
  }

 private:
  struct Job {
    const void* task = nullptr;
    void (*call)(const void* task, std::size_t i) = nullptr;
  };

  void end();
  void hand_out(std::size_t count, Job job);
  void take_tasks() noexcept;
  void help();

  Job job_;  // of the round
  TaskGate gate_;
  FirstError error_;
  std::vector<std::thread> helpers_;
};

}  // namespace easgd::cpu
