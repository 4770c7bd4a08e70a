#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/stability/options.h"
#include "commands/stability/subcommands.h"
#include "commands/stability/tables.h"
#include "theory/multiplicative_noise.h"

namespace easgd::stability {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  Format format;
  int workers = kUsualScheme.workers;
  double learning_rate = kUsualScheme.learning_rate;
  double alpha = 0, beta = 0.9, lambda = 0.5, omega = 0.5, start = 1;
  std::vector<long> steps = {1, 2, 10, 100, 1000};
  bool optimum = false;
};

std::vector<Json> moments_at(const theory::MultiplicativeNoise& model, double start,
                             const std::vector<long>& steps) {
  theory::SecondMoments state;
  state.fill(start * start);
  std::vector<Json> rows;
  long t = 0;
  for (const long step : steps) {
    for (; t < step; ++t) state = next(model, state);
    rows.push_back({{"step", step},
                    {"center_center", state[0]},
                    {"center_worker", state[1]},
                    {"worker_worker", state[2]},
                    {"worker_other", state[3]}});
  }
  return rows;
}

void print_multiplicative(const Arguments& a) {
  theory::MultiplicativeNoise model{a.workers, a.learning_rate, a.alpha, a.beta, a.lambda, a.omega};
  if (a.optimum) model = fastest(model);
  const Json result = {{"workers", model.workers},
                       {"learning_rate", model.learning_rate},
                       {"alpha", model.alpha},
                       {"beta", model.beta},
                       {"spectral_radius", moment_radius(model)},
                       {"minibatch_best_learning_rate", minibatch_best_rate(model)},
                       {"minibatch_best_radius", minibatch_best_radius(model)}};
  print_with_steps(result, moments_at(model, a.start, a.steps), a.format);
}

}  // namespace

void declare_multiplicative(CLI::App& stability, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = *stability.add_subcommand(
      "multiplicative", "second moments under multiplicative (Gamma) noise");
  add_format(command, a->format);
  add_workers(command, a->workers, kMostSynchronousWorkers);
  add_learning_rate(command, a->learning_rate);
  CLI::Option* alpha = add_alpha(command, a->alpha, -1e6);
  command.add_option("--beta", a->beta, "of the center")->check(within(-1e6, 1e6));
  command.add_option("--lambda", a->lambda, "shape of the Gamma distribution")
      ->check(within(1e-9, 1e9));
  command.add_option("--omega", a->omega, "its rate")->check(within(1e-9, 1e9));
  add_start(command, a->start);
  add_steps(command, a->steps);
  command.add_flag("--optimum", a->optimum, "look for the best eta, alpha and beta")
      ->excludes("--learning-rate")
      ->excludes("--alpha")
      ->excludes("--beta");
  command.callback([a, alpha, &result] {
    if (alpha->count() == 0) a->alpha = a->beta / a->workers;
    std::ranges::sort(a->steps);
    print_multiplicative(*a);
    result = ExitCode::done;
  });
}

}  // namespace easgd::stability
