#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/stability/options.h"
#include "commands/stability/subcommands.h"
#include "commands/stability/tables.h"
#include "theory/additive_noise.h"

namespace easgd::stability {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  Format format;
  int workers = kUsualScheme.workers;
  double learning_rate = kUsualScheme.learning_rate, curvature = kUsualScheme.curvature;
  double alpha = 0, beta = 0.9, sigma = 1, start = 1;
  std::vector<long> steps = {1, 2, 10, 100, 1000};
};

std::vector<Json> moments_at(const theory::AdditiveNoise& model, double start,
                             const std::vector<long>& steps) {
  std::vector<Json> rows;
  for (const long t : steps) {
    const theory::Moments m = center_moments(model, start, t);
    rows.push_back({{"step", t},
                    {"bias", m.bias},
                    {"variance", m.variance},
                    {"mean_squared_error", m.mean_squared_error()},
                    {"step_x_variance_of_average", averaged_variance(model, t)}});
  }
  return rows;
}

Json limits_of(const theory::AdditiveNoise& m) {
  const bool stable = is_stable(m);
  const auto if_stable = [&](double value) { return stable ? Json(value) : Json(); };
  const auto roots = lemma_roots(m);
  const auto best = theory::fastest_moving_rate(m.learning_rate, m.beta(), m.curvature);
  const double many_workers =
      theory::many_workers_limit(m.learning_rate, m.beta(), m.curvature, m.sigma);
  const double average = m.sigma * m.sigma / (m.workers * m.curvature * m.curvature);
  return {{"alpha", m.alpha},
          {"beta", m.beta()},
          {"gamma", roots.gamma},
          {"phi", roots.phi},
          {"stable", stable},
          {"stationary_variance", if_stable(stationary_center_variance(m))},
          {"stationary_variance_of_workers_mean", if_stable(stationary_mean_variance(m))},
          {"many_workers_limit", if_stable(many_workers)},
          {"step_x_variance_limit_of_average", if_stable(average)},
          {"fastest_alpha", best.alpha},
          {"fastest_rate", best.rate},
          {"fastest_factor_of_differences", 1 - m.learning_rate * m.curvature - best.alpha}};
}

void print_moments(const Arguments& a) {
  const theory::AdditiveNoise model{a.workers, a.learning_rate, a.alpha, a.curvature, a.sigma};
  print_with_steps(limits_of(model), moments_at(model, a.start, a.steps), a.format);
}

}  // namespace

void declare_moments(CLI::App& stability, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = *stability.add_subcommand(
      "moments", "bias and variance of the synchronous center under additive noise");
  add_format(command, a->format);
  add_workers(command, a->workers, kMostSynchronousWorkers);
  add_learning_rate(command, a->learning_rate, 1e-12);
  add_curvature(command, a->curvature);
  CLI::Option* alpha = add_alpha(command, a->alpha, 1e-12);
  command.add_option("--beta", a->beta, "workers x alpha")
      ->check(within(1e-12, 1e6))
      ->excludes(alpha);
  command.add_option("--sigma", a->sigma, "standard deviation of the gradient noise")
      ->check(within(0, 1e9));
  add_start(command, a->start);
  add_steps(command, a->steps);
  command.callback([a, alpha, &result] {
    if (alpha->count() == 0) a->alpha = a->beta / a->workers;
    std::ranges::sort(a->steps);
    print_moments(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd::stability
