// What a sweep has come to: a row for each combination, over its seeds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runs/summary.h"
#include "sweep/plan.h"
#include "sweep/sweep_client.h"

namespace easgd {

/// A finished run in one line, for people: "error 23.41 % (best 23.20 %), 12.3 s".
std::string outcome_of(const RunSummary& summary);

class SweepTable {
 public:
  /// `plan` has to outlive it.
  explicit SweepTable(const SweepPlan& plan);

  /// "easgd tau=4 seed=1": what tells the run from the others.
  std::string label_of(const SweepRun& run) const;

  void add_finished(const SweepRun& run, const RunSummary& summary);
  void add_failed(const SweepRun& run);
  /// `state` says where it has paused, and what it had come to there.
  void add_stopped(const SweepRun& run, const StateEvent& state);
  /// One that rests where runs are compared, and may go on.
  void add_paused(const SweepRun& run);

  /// Combinations of which a run has been tested, the best first.
  std::vector<BestOf> best() const;

  /// For people: a line for each combination, in the order of the plan, under a line of names.
  std::string text() const;

 private:
  using Values = std::vector<std::string>;  ///< of the axes, in their order
  struct Row {
    std::string label;
    std::size_t runs = 0, failed = 0, diverged = 0, paused = 0;
    std::vector<double> test_errors, best_test_errors, seconds, stopped_errors;
    std::string stopped_at;
    std::vector<std::string> adapted;
  };

  Values values_of(const SweepRun& run) const;
  std::string label_of(const Values& values) const;

  const SweepPlan& plan_;
  std::vector<bool> varies_;  // each axis
  bool has_seeds_ = false;
  bool has_virtual_ = false;  ///< seconds are virtual ones
  std::vector<Values> order_;
  std::map<Values, Row> rows_;
};

}  // namespace easgd
