// The runs of a sweep that stops early, as halving sees them: runs that differ in nothing but the
// seed are one candidate, and are judged together, by the mean of their results.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runs/events.h"
#include "runs/manifest.h"
#include "runs/summary.h"
#include "sweep/halving.h"
#include "sweep/plan.h"

namespace easgd {

/// How many candidates the runs of a plan are.
std::size_t count_candidates(const SweepPlan& plan);

/// A run, and where it is to pause; nowhere: it comes to its end.
struct Leg {
  const SweepRun* run = nullptr;
  std::optional<PausePoint> pause = {};
};

class Candidates {
 public:
  /// What a leg without a pause is called in a manifest.
  static constexpr const char* kEnd = "end";

  /// `record`: how far the runs of the plan are, but for those that are done. `plan` has to outlive
  /// it.
  Candidates(const SweepPlan& plan, const SweepRecord& record);

  /// `evaluations` of the run say what it had come to at rungs where it did not pause; how it ended
  /// counts at those that it did not come to.
  void finished(const SweepRun& run, const RunSummary& summary,
                std::span<const EvaluationEvent> evaluations);
  void paused(const SweepRun& run, const PausePoint& where, const RungResult& result);
  /// For good: its candidate ranks last.
  void failed(const SweepRun& run);

  /// Runs that have to come to where their candidate is, after all is known that has been.
  std::vector<Leg> open_legs();
  /// The first run of the candidate that is to go on or to begin next; null if there is none now.
  const SweepRun* next_run() const;
  /// All runs of that candidate, which is on its way then.
  std::vector<Leg> take_next();
  /// Runs that have paused, and do not go on any more.
  std::vector<const SweepRun*> losers() const;

 private:
  struct Member {
    const SweepRun* run = nullptr;
    bool is_done = false, has_failed = false;
    std::vector<std::optional<double>> results = {};  // at each level
    std::size_t level = 0;                            // to which it has been on its way
    bool has_begun = false;
  };
  using Group = std::vector<Member>;

  Member& member_of(const SweepRun& run);
  void take_up(Member& member, const SweepRecord& record) const;
  std::optional<std::size_t> level_of(const std::string& until) const;
  void report(std::size_t group);
  std::vector<Leg> legs_to(std::size_t group, std::size_t level) const;

  const SweepPlan& plan_;
  std::vector<Group> groups_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> places_;  // by identity
  Halving halving_;
};

}  // namespace easgd
