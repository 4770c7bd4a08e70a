#include "runs/summarise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace easgd {
namespace {

/// When each level, from 0.9 down in steps of 0.05 and below 0.1 of 0.01, was first reached.
std::map<std::string, double> time_to_error(const std::vector<Evaluation>& evaluations) {
  std::map<std::string, double> result;
  for (int percent = 90; percent > 0; percent -= percent > 10 ? 5 : 1) {
    const auto reached = std::ranges::find_if(
        evaluations, [percent](const Evaluation& e) { return e.test.error() <= percent / 100.0; });
    if (reached != evaluations.end()) result[fmt::format("{}", percent / 100.0)] = reached->seconds;
  }
  return result;
}

double best_error(const std::vector<Evaluation>& evaluations) {
  return std::ranges::min_element(evaluations, {},
                                  [](const Evaluation& e) { return e.test.error(); })
      ->test.error();
}

/// In a replay nothing fails: it repeats what befell the recorded run.
void count_repeated(const Recording& recording, RunSummary& s) {
  const auto count = [&recording](Incident::Kind kind) {
    return std::uint64_t(std::ranges::count(recording.incidents, kind, &Incident::kind));
  };
  s.restarts = count(Incident::Kind::began);
  s.failed_workers = count(Incident::Kind::gone);
}

}  // namespace

bool never_moved(const Team& team, ConstView start) {
  const ConstView center = team.master().view().center;
  return std::ranges::equal(center, start.first(center.size()));
}

Refusals lasting_refusals(const Recording& recording) {
  std::vector<std::vector<std::uint64_t>> clocks(recording.steps.size());
  for (const Incident& incident : recording.incidents) {
    std::vector<std::uint64_t>& own = clocks[incident.worker];
    if (incident.kind == Incident::Kind::refused) own.push_back(incident.clock);
    if (incident.kind == Incident::Kind::began || incident.kind == Incident::Kind::gone)
      own.clear();
  }
  Refusals refusals;
  for (std::size_t i = 0; i < clocks.size(); ++i) {
    refusals.count += clocks[i].size();
    if (!clocks[i].empty()) refusals.late |= 4 * clocks[i].back() >= 3 * recording.steps[i];
  }
  return refusals;
}

RunStatus verdict(const Outcome& o) {
  constexpr std::uint64_t kOften = 10, kSeveral = 3;
  if (o.failed) return RunStatus::failed;
  if (o.interrupted) return RunStatus::interrupted;
  if (o.paused) return RunStatus::paused;
  const std::uint64_t refused = o.refusals.count, letters = o.totals.exchanges + o.totals.refused;
  const bool loss_is_lost =
      !o.evaluations.empty() && !std::isfinite(o.evaluations.back().test.mean_loss());
  const bool diverged = o.lost_loss || loss_is_lost || kOften * refused > letters ||
                        (o.refusals.late && refused >= kSeveral) ||
                        (o.totals.refused > 0 && o.never_moved);
  return diverged ? RunStatus::diverged : RunStatus::done;
}

RunSummary summarise(const RunFacts& facts, const std::vector<Evaluation>& evaluations,
                     RunStatus status) {
  const Config& config = facts.config;
  const TeamTotals totals = totals_of(facts.team);
  const double images = double(totals.all_steps) * double(config.workers.batch);
  RunSummary s;
  s.name = config.name;
  s.identity = facts.identity;
  s.algorithm = config.algorithm.name;
  s.exchange = config::name_of(config.algorithm.exchange);
  s.backend = config.workers.devices[0].substr(0, config.workers.devices[0].find(':'));
  s.devices = config.workers.devices;
  s.workers = facts.team.workers();
  s.failed_workers = facts.team.failed();
  s.tau = config.algorithm.tau;
  s.alpha = facts.rates.alpha;
  s.rho = facts.rates.rho;
  s.beta = facts.rates.beta;
  s.seed = config.seed;
  s.steps = totals.steps;
  s.epochs = images / double(facts.train_size);
  s.wall_seconds = facts.seconds;
  s.virtual_seconds = facts.team.master().view().seconds;
  s.images_per_second = images / facts.seconds;
  if (!evaluations.empty()) {
    const Evaluation& last = evaluations.back();
    s.version = last.version;
    s.train_loss = last.train.mean_loss();
    s.test_loss = last.test.mean_loss();
    s.test_error = last.test.error();
    s.test_top5_error = last.test.top5_error(facts.classes);
    s.best_test_error = best_error(evaluations);
  }
  s.time_to_error = time_to_error(evaluations);
  s.exchanges = totals.exchanges;
  s.refused_letters = totals.refused;
  s.restarts = facts.team.restarts();
  if (facts.config.center.order == OrderKind::replay) count_repeated(facts.team.recording(), s);
  s.bad_images = facts.bad_images;
  if (totals.run_seconds > 0) {
    s.exchange_wait_fraction = totals.exchange_seconds / totals.run_seconds;
    s.data_wait_fraction = totals.data_seconds / totals.run_seconds;
  }
  s.status = status;
  s.environment = facts.environment;
  return s;
}

}  // namespace easgd
