#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/standard_output.h"
#include "commands/commands.h"
#include "evaluate/run_inputs.h"
#include "exchange/worker_placement.h"
#include "settings/load.h"
#include "settings/worker_schedule.h"

namespace easgd {
namespace {

std::string shown_bytes(double bytes) {
  return fmt::format("{:.2f} MiB", bytes / (1 << 20));
}

/// Read from the files only if the set's reader does not know it without them.
DatasetFacts facts_of(const DataConfig& data) {
  if (const auto facts = data.reader()->facts()) return *facts;
  const DataSplit split = data.reader()->read({data.dir, 0});
  return {split.train->shape(), split.train->classes()};
}

void print_layers(const Network& network) {
  std::size_t widest = 12;
  for (const Stage& stage : network.stages()) widest = std::max(widest, stage.layer->name.size());
  output("{:<{}} {:<22} {:<12} {:<12} {:>12} {:>12}\n", "layer", widest, "type", "input", "output",
         "parameters", "MFLOP");
  for (const Stage& stage : network.stages()) {
    std::size_t parameters = 0;
    for (const Slice& slice : stage.slices) parameters += slice.count;
    output("{:<{}} {:<22} {:<12} {:<12} {:>12} {:>12.3f}\n", stage.layer->name, widest,
           stage.layer->kind(), to_string(stage.input), to_string(stage.output), parameters,
           stage.layer->forward_flops(stage.input) / 1e6);
  }
}

/// The workers' devices; prints how much memory one of them needs. A configuration that names
/// absent devices can be described too; only that figure is missing.
std::vector<std::string> print_devices(const Config& config, bool single, const Network& network) {
  try {
    const auto places = place_workers(config.workers, single).placements;
    const auto backend = places[0].make_backend();
    const auto model = backend->compile(network, {.batch = std::size_t(config.workers.batch),
                                                  .training = true,
                                                  .precision = config.workers.precision});
    output("activations and workspaces of a worker on {}: {}\n", places[0].name(),
           shown_bytes(double(model->memory())));
    return names_of(places);
  } catch (const DeviceError& e) {
    output("activations and workspaces of a worker: not known here: {}\n", e.what());
    return config.workers.devices;
  }
}

void describe(const Config& config) {
  const Algorithm& algorithm = Registry<Algorithm>::get(config.algorithm.name);
  const DatasetFacts facts = facts_of(config.data);
  const Network network = make_network(config, facts.shape, facts.classes);
  const auto batch = std::size_t(config.workers.batch);
  print_layers(network);
  const double vector = double(network.parameter_count() * sizeof(float));
  output("\n{} parameters, {}; {:.2f} MFLOP a sample forward, {:.2f} GFLOP a step of {}\n",
         network.parameter_count(), shown_bytes(vector), network.forward_flops() / 1e6,
         3 * network.forward_flops() * double(batch) / 1e9, batch);
  if (network.statistic_count() > 0) {
    output("{} running statistics of batch normalisation: {}\n", network.statistic_count(),
           config::name_of(config.network.statistics));
  }
  const auto devices = print_devices(config, algorithm.single, network);
  output("{} worker(s): {}; algorithm {}, {}\n", devices.size(), fmt::join(devices, " "),
         config.algorithm.name, config::name_of(config.algorithm.exchange));
  if (algorithm.coupling != Coupling::none) {
    const WorkerSchedule schedule(config, devices.size(), 1);
    const ElasticRates e = schedule.elastic();
    output("tau {}, alpha {:.6g}, beta {:.6g}, rho {:.6g}\n", config.algorithm.tau, e.alpha, e.beta,
           e.rho);
    const auto warning =
        algorithm.elastic_region ? stability_warning(config.algorithm, e) : std::nullopt;
    if (warning) output("warning: {}\n", *warning);
  }
}

struct Arguments {
  std::string config;
  std::vector<std::string> overrides;
};

}  // namespace

void declare_describe(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("describe", "layers, shapes, parameters, FLOPs, memory");
  command->add_option("config", a->config, "TOML file")->required();
  declare_overrides(*command, a->overrides);
  command->callback([a, &result] {
    const Config config = load_config(a->config, a->overrides);
    config::at_locations(config.locations, [&] { describe(config); });
    result = ExitCode::done;
  });
}

}  // namespace easgd
