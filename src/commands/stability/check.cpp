#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/commands.h"
#include "commands/stability/options.h"
#include "commands/stability/subcommands.h"
#include "commands/stability/tables.h"
#include "evaluate/curvature.h"
#include "exchange/worker_placement.h"
#include "settings/load.h"
#include "settings/worker_schedule.h"
#include "theory/additive_noise.h"
#include "theory/round_robin.h"

namespace easgd::stability {
namespace {

struct Arguments {
  Format format;
  std::string config;
  std::vector<std::string> overrides;
  double curvature = 0;
  bool curvature_is_given = false;
};

struct KnownCurvature {
  double value = 0;
  std::string from = "given";
};

/// Of the loss at the start of a run, with its weight decay.
KnownCurvature measured_curvature(Config& config) {
  const Data data(config);
  const Network network =
      make_network(config, data.split.train->shape(), data.split.train->classes());
  check_batch("workers.batch", config.workers.batch, network);
  const Buffer state = initial_state(config, network);
  const Curvature found =
      measure_curvature(config, data, network, state.view().first(network.parameter_count()));
  return {found.largest + config.algorithm.weight_decay,
          fmt::format("measured at {} by {} power iterations{}",
                      config.network.init.empty() ? "the initial parameters" : config.network.init,
                      found.iterations, found.settled ? "" : " (not settled: a lower bound)")};
}

/// Where a schedule raises a rate, the highest counts.
double largest_stable_curvature(const AlgorithmConfig& algorithm, const ElasticRates& rates) {
  const double eta = algorithm.learning_rate * algorithm.schedule.largest();
  const double rise = algorithm.rho_schedule.largest();
  const double alpha = rise * rates.alpha, beta = rise * rates.beta;
  return (algorithm.exchange == Exchange::synchronous
              ? theory::synchronous_easgd_largest_eta_h(alpha, beta)
              : theory::easgd_largest_eta_h(alpha)) /
         eta;
}

void print_check(const Arguments& a, Config& config) {
  if (!Registry<Algorithm>::get(config.algorithm.name).elastic_region) {
    throw KeyError("algorithm.name",
                   "the region is of easgd and eamsgd; found " + config.algorithm.name);
  }
  const std::size_t workers = place_workers(config.workers, false).placements.size();
  const ElasticRates rates = derive(config.algorithm, workers);
  const KnownCurvature curvature =
      a.curvature_is_given ? KnownCurvature{a.curvature} : measured_curvature(config);
  const double limit = largest_stable_curvature(config.algorithm, rates);
  const bool applies = config.algorithm.tau == 1 && config.algorithm.name == "easgd";
  const nlohmann::ordered_json result = {
      {"exchange", config::name_of(config.algorithm.exchange)},
      {"workers", workers},
      {"tau", config.algorithm.tau},
      {"learning_rate", config.algorithm.learning_rate},
      {"alpha", rates.alpha},
      {"beta", rates.beta},
      {"rho", rates.rho},
      {"curvature_is", curvature.from},
      {"curvature", curvature.value},
      {"largest_stable_curvature", limit},
      {"inside_region", 0 <= curvature.value && curvature.value <= limit && limit > 0},
      {"region", fmt::format("of easgd with tau = 1, proven for a quadratic{}",
                             applies ? "" : "; with momentum or a longer tau nothing is")}};
  print(result, a.format);
}

}  // namespace

void declare_check(CLI::App& stability, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command =
      *stability.add_subcommand("check", "a configuration against the region of proven stability");
  add_format(command, a->format);
  command.add_option("config", a->config, "TOML file")->required();
  const CLI::Option* curvature =
      command.add_option("--curvature", a->curvature, "of the loss; else it is measured")
          ->check(within(0, 1e12));
  declare_overrides(command, a->overrides);
  command.callback([a, curvature, &result] {
    a->curvature_is_given = curvature->count() > 0;
    Config config = load_config(a->config, a->overrides);
    config::at_locations(config.locations, [&] { print_check(*a, config); });
    result = ExitCode::done;
  });
}

}  // namespace easgd::stability
