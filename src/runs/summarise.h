// What a run has come to, from what its parts have counted.
#pragma once

#include <vector>

#include "evaluate/evaluator.h"
#include "exchange/team.h"
#include "exchange/team_totals.h"
#include "runs/summary.h"
#include "settings/config.h"
#include "settings/worker_schedule.h"

namespace easgd {

/// No letter has moved the center away from `start` [P + S].
/// Thread: after the team has ended.
bool never_moved(const Team& team, ConstView start);

/// Letters that were refused of workers that have neither begun again since nor failed for good.
struct Refusals {
  std::uint64_t count = 0;
  bool late = false;  ///< one in the last quarter of a worker's steps: what follows is chance
};
Refusals lasting_refusals(const Recording& recording);

/// What a verdict goes by.
struct Outcome {
  bool failed = false;
  bool interrupted = false;
  bool paused = false;
  bool lost_loss = false;  ///< and was not to go back
  bool never_moved = false;
  Refusals refusals = {};
  TeamTotals totals = {};
  std::vector<Evaluation> evaluations = {};
};

/// A run has diverged if its training loss was lost; if the last test loss is not finite; if
/// letters were refused so often, or so late, that what is left of their work is chance; or if all
/// were that would have moved the center.
RunStatus verdict(const Outcome& outcome);

/// What a summary is made of.
struct RunFacts {
  const Config& config;
  const std::string& identity;
  const ElasticRates& rates;
  const Team& team;
  std::size_t train_size;  ///< samples of an epoch
  int classes;
  std::size_t bad_images;  ///< of both halves of the set
  double seconds;          ///< training time
  const Environment& environment;
};

RunSummary summarise(const RunFacts& facts, const std::vector<Evaluation>& evaluations,
                     RunStatus status);

}  // namespace easgd
