// What each worker does at each step of its own clock: rates, exchanges, and when it ends.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "settings/config.h"

namespace easgd {

/// The three names of one number, [EASGD15] section 2:
///   alpha = learning_rate rho, the moving rate of an exchange;  beta = workers alpha.
struct ElasticRates {
  double rho = 0;
  double alpha = 0;
  double beta = 0;
};

/// Derives two of them from the one given; `shares` is what Algorithm::shares says of the workers.
ElasticRates derive(const AlgorithmConfig& algorithm, std::size_t shares);

/// A line with the numbers if the rates, at the largest alpha of the schedule, lie outside the
/// region in which EASGD is proven stable, for curvature 1: alpha <= (4 - 2 eta) / (4 - eta) in any
/// order ([EASGD15] section 4), and (2 - eta)(2 - beta) > 2 alpha with (2 - eta) + (2 - beta) >
/// alpha for synchronous rounds (Lemma 7.1).
std::optional<std::string> stability_warning(const AlgorithmConfig& algorithm,
                                             const ElasticRates& rates);

/// The steps from `first` to `last` - 1 of a worker's clock; none if both are the same.
struct Steps {
  std::uint64_t first = 0, last = 0;
};

/// Where a life of a worker ended that is replayed: after so many visits to the master, in the step
/// `clock`; and whether it began again with that step.
struct LifeEnd {
  std::uint64_t visits = 0;
  std::uint64_t clock = 0;
  bool begins_again = false;

  bool operator==(const LifeEnd&) const = default;
};

class WorkerSchedule {
 public:
  static constexpr std::uint64_t kEndless = std::numeric_limits<std::uint64_t>::max();

  /// `train_size` samples make an epoch, shared by `workers` workers.
  WorkerSchedule(const Config& config, std::size_t workers, std::size_t train_size);

  Rates rates(std::uint64_t clock) const;
  /// That of the rates, before it is rounded.
  double learning_rate(std::uint64_t clock) const;
  /// Of the learning rate.
  const Schedule& rate_schedule() const { return algorithm_.schedule; }
  std::uint64_t tau(std::uint64_t clock) const;
  /// Steps after which a worker ends, kEndless if only time or error ends the run.
  std::uint64_t steps(std::size_t worker) const { return steps_[worker]; }
  /// What the first worker shows a profiler.
  Steps profiled() const { return profiled_; }
  const ElasticRates& elastic() const { return elastic_; }
  /// Every learning rate from now on is multiplied by it.
  void slow_down(double factor) { algorithm_.learning_rate *= factor; }
  /// A replayed worker ends where the recorded one did.
  void set_steps(std::vector<std::uint64_t> steps) { steps_ = std::move(steps); }
  /// A replayed worker ends and begins again where the recorded one did: a list for each worker.
  void set_lives(std::vector<std::vector<LifeEnd>> lives) { lives_ = std::move(lives); }
  /// The ends of its lives but for that by its steps.
  std::span<const LifeEnd> lives(std::size_t worker) const {
    return lives_.empty() ? std::span<const LifeEnd>() : lives_[worker];
  }

 private:
  AlgorithmConfig algorithm_;
  ElasticRates elastic_;
  std::vector<std::uint64_t> steps_;
  std::vector<std::vector<LifeEnd>> lives_;  // empty: nobody's has ended before its steps
  Steps profiled_;
};

}  // namespace easgd
