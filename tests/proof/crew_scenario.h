// A crew in rounds of work, in the order of the calls of Crew: every task is done once, and in its
// round.
#pragma once

#include <array>

#include "backend/cpu/task_gate.h"
#include "explorer.h"

namespace easgd::proof {

class CrewScenario final : public Scenario {
 public:
  CrewScenario(std::size_t helpers, std::size_t rounds, std::size_t tasks)
      : helpers_(helpers), rounds_(rounds), tasks_(tasks) {}

  std::size_t threads() const override { return helpers_ + 1; }

  void run(std::size_t thread) override { thread == 0 ? lead() : help(); }

  void check() const override { expect(job_ == rounds_, "a round is missing"); }

 private:
  static constexpr std::size_t kMostTasks = 3;

  void lead() {
    for (std::size_t round = 1; round <= rounds_; ++round) {
      explorer().at({round});
      job_ = round;
      gate_.open(tasks_);
      take_tasks();
      gate_.close();
      for (std::size_t task = 0; task < tasks_; ++task) {
        expect(done_[task] == round, "a task was not done");
      }
    }
    gate_.end();
  }

  void help() {
    for (int round = 0; gate_.enter(round);) {
      explorer().at({std::uint64_t(round), job_});
      take_tasks();
      gate_.leave();
    }
  }

  void take_tasks() {
    while (const auto task = gate_.take()) {
      expect(done_[*task] + 1 == job_, "a task was done twice, or in another round");
      done_[*task] = job_;
    }
  }

  static Explorer& explorer() { return Explorer::current(); }

  const std::size_t helpers_, rounds_, tasks_;
  cpu::TaskGate gate_;
  std::size_t job_ = 0;                         // of the round
  std::array<std::size_t, kMostTasks> done_{};  // the round in which each task was done last
};

}  // namespace easgd::proof
