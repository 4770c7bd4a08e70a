#include "settings/worker_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "settings/algorithm_keys.h"
#include "theory/additive_noise.h"
#include "theory/round_robin.h"

namespace easgd {

ElasticRates derive(const AlgorithmConfig& algorithm, std::size_t shares) {
  const double p = double(shares);
  const double eta = algorithm.learning_rate;
  double alpha = 0;
  if (algorithm.rho) alpha = eta * *algorithm.rho;
  if (algorithm.alpha) alpha = *algorithm.alpha;
  if (algorithm.beta) alpha = *algorithm.beta / p;
  if (alpha > 2) {
    throw KeyError("algorithm." + algorithm.given_coupling().back(),
                   fmt::format("makes a moving rate alpha = {} among {}; it must be at most 2",
                               alpha, shares));
  }
  return {alpha / eta, alpha, p * alpha};
}

std::optional<std::string> stability_warning(const AlgorithmConfig& algorithm,
                                             const ElasticRates& initial) {
  // If a schedule raises a rate, the highest counts.
  const double eta = algorithm.learning_rate * algorithm.schedule.largest();
  if (eta > 2) {
    return fmt::format("outside the stability region at curvature 1: learning_rate {} exceeds 2",
                       eta);
  }
  const double rise = algorithm.rho_schedule.largest();
  const ElasticRates rates = {rise * initial.rho, rise * initial.alpha, rise * initial.beta};
  if (algorithm.exchange == Exchange::synchronous) {
    if (theory::synchronous_easgd_is_stable(eta, rates.alpha, rates.beta)) return std::nullopt;
    return fmt::format(
        "outside the stability region of synchronous EASGD at curvature 1: learning_rate {}, "
        "alpha {}, beta {} need (2 - learning_rate)(2 - beta) = {:.4g} > 2 alpha = {:.4g}, "
        "(2 - learning_rate) + (2 - beta) = {:.4g} > alpha",
        eta, rates.alpha, rates.beta, (2 - eta) * (2 - rates.beta), 2 * rates.alpha,
        (2 - eta) + (2 - rates.beta));
  }
  const double limit = theory::easgd_largest_alpha(eta);
  if (rates.alpha <= limit) return std::nullopt;
  return fmt::format(
      "outside the stability region of asynchronous EASGD at curvature 1: alpha {} must be at "
      "most (4 - 2 learning_rate)/(4 - learning_rate) = {:.4g}, learning_rate being {}",
      rates.alpha, limit, eta);
}

WorkerSchedule::WorkerSchedule(const Config& config, std::size_t workers, std::size_t train_size)
    : algorithm_(config.algorithm) {
  const Algorithm& entry = Registry<Algorithm>::get(algorithm_.name);
  if (entry.coupling != Coupling::none) {
    const RuleOptions options = rule_options(algorithm_, workers);
    elastic_ = derive(algorithm_, entry.shares ? entry.shares(options) : workers);
  }
  std::uint64_t longest = kEndless;
  if (config.stop.epochs) {
    const double samples = *config.stop.epochs * double(train_size);
    longest = std::uint64_t(std::ceil(samples / double(workers) / double(config.workers.batch)));
  }
  if (config.stop.steps) longest = std::min(longest, std::uint64_t(*config.stop.steps));
  steps_.assign(workers, longest);
  const std::vector<double>& profiled = config.profile.steps;
  if (!profiled.empty()) profiled_ = {std::uint64_t(profiled[0]), std::uint64_t(profiled[1])};
  for (Schedule* schedule :
       {&algorithm_.schedule, &algorithm_.tau_schedule, &algorithm_.rho_schedule}) {
    if (schedule->length == 0 && longest != kEndless) schedule->length = std::int64_t(longest);
  }
}

double WorkerSchedule::learning_rate(std::uint64_t clock) const {
  return algorithm_.learning_rate * algorithm_.schedule.at_clock(clock);
}

Rates WorkerSchedule::rates(std::uint64_t clock) const {
  return {.learning_rate = float(learning_rate(clock)),
          .momentum = float(algorithm_.momentum),
          .weight_decay = float(algorithm_.weight_decay),
          .alpha = float(elastic_.alpha * algorithm_.rho_schedule.at_clock(clock)),
          .rho = float(elastic_.rho)};
}

std::uint64_t WorkerSchedule::tau(std::uint64_t clock) const {
  const double tau = double(algorithm_.tau) * algorithm_.tau_schedule.at_clock(clock);
  return std::uint64_t(std::clamp(std::round(tau), 1.0, 1e18));
}

}  // namespace easgd
