#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/shown_bytes.h"
#include "base/standard_output.h"
#include "commands/commands.h"
#include "evaluate/run_inputs.h"
#include "exchange/worker_placement.h"
#include "nn/linear.h"
#include "settings/load.h"
#include "settings/worker_schedule.h"
#include "train/memory_plan.h"

namespace easgd {
namespace {

/// The data, if they are where the configuration says; what the reader says if not.
struct FoundData {
  std::unique_ptr<Data> data;
  std::string why_not;
};

FoundData find_data(const Config& config) {
  try {
    return {std::make_unique<Data>(config), ""};
  } catch (const DataError& e) {
    return {nullptr, e.what()};
  } catch (const DeviceError& e) {  // no threads to read them
    return {nullptr, e.what()};
  }
}

/// Images that a configuration is described for instead of its data set's.
struct OtherImages {
  std::string shape;  ///< "3x224x224"; empty: those of the data set
  int classes = 1000;

  /// Throws: ConfigError.
  DatasetFacts facts() const {
    Shape found;
    char end = 0;
    const int fields = std::sscanf(shape.c_str(), "%dx%dx%d%c", &found.channels, &found.height,
                                   &found.width, &end);
    if (fields == 3 && std::min({found.channels, found.height, found.width}) > 0) {
      return {found, classes};
    }
    throw ConfigError(fmt::format(
        "--image: expected channels x height x width, as in 3x224x224; found \"{}\"", shape));
  }
};

/// As many as the network tells apart.
int classes_of(const NetworkConfig& network) {
  int classes = 0;
  for (const auto& layer : network.layers) {
    if (const auto* linear = dynamic_cast<const Linear*>(layer.get())) {
      classes = int(linear->outputs);
    }
  }
  return classes;
}

/// From the files only if the set's reader does not know it without them. Of photographs that are
/// not there the crop and the network tell as much.
DatasetFacts facts_of(const Config& config, const FoundData& found) {
  if (const auto facts = config.data.reader()->facts()) return *facts;
  if (!found.data) {
    const int side = int(config.data.crop), classes = classes_of(config.network);
    if (side == 0 || classes == 0) throw DataError(found.why_not);
    return {{3, side, side}, classes};
  }
  return {found.data->split.train->shape(), found.data->split.train->classes()};
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

/// A configuration that names absent devices can be described too: its plan says what is not known.
void print_memory(const Config& config, const Network& network,
                  const std::vector<Placement>& workers, const FoundData& found) {
  const MemoryPlan plan = plan_memory({.config = config,
                                       .network = network,
                                       .workers = workers,
                                       .center_place = config.center.place,
                                       .data = found.data.get()});
  for (const std::string& place : plan.places()) {
    output("\nmemory of {}: {}\n", place == "host" ? "the host" : place,
           shown_bytes(plan.bytes(place)));
    for (const MemoryItem& item : plan.items) {
      if (item.place == place) output("  {:<24} {:>12}\n", item.what, shown_bytes(item.bytes));
    }
  }
  for (const std::string& what : plan.unknown) output("not known here: {}\n", what);
  if (!found.data) output("not known here: data set: {}\n", found.why_not);
}

/// The workers as they would be placed here; if their devices are not here, by their names.
std::vector<Placement> workers_of(const Config& config, bool single) {
  try {
    return place_workers(config.workers, single).placements;
  } catch (const DeviceError&) {
    return named_workers(config.workers, single).placements;
  }
}

void describe(const Config& config, const OtherImages& other) {
  const Algorithm& algorithm = Registry<Algorithm>::get(config.algorithm.name);
  const bool is_other = !other.shape.empty();
  const FoundData found =
      is_other ? FoundData{nullptr, "other images are described"} : find_data(config);
  const DatasetFacts facts = is_other ? other.facts() : facts_of(config, found);
  const Network network = make_network(config, facts.shape, facts.classes);
  const auto batch = std::size_t(config.workers.batch);
  print_layers(network);
  output("\n{} parameters, {}; {:.2f} MFLOP a sample forward, {:.2f} GFLOP a step of {}\n",
         network.parameter_count(), shown_bytes(network.parameter_count() * sizeof(float)),
         network.forward_flops() / 1e6, 3 * network.forward_flops() * double(batch) / 1e9, batch);
  if (network.statistic_count() > 0) {
    output("{} running statistics of batch normalisation: {}\n", network.statistic_count(),
           config::name_of(config.network.statistics));
  }
  const std::vector<Placement> workers = workers_of(config, algorithm.single);
  output("{} worker(s): {}; algorithm {}, {}\n", workers.size(), fmt::join(names_of(workers), " "),
         config.algorithm.name, config::name_of(config.algorithm.exchange));
  if (algorithm.coupling != Coupling::none) {
    const WorkerSchedule schedule(config, workers.size(), 1);
    const ElasticRates e = schedule.elastic();
    output("tau {}, alpha {:.6g}, beta {:.6g}, rho {:.6g}\n", config.algorithm.tau, e.alpha, e.beta,
           e.rho);
    const auto warning =
        algorithm.elastic_region ? stability_warning(config.algorithm, e) : std::nullopt;
    if (warning) output("warning: {}\n", *warning);
  }
  print_memory(config, network, workers, found);
}

struct Arguments {
  std::string config;
  std::vector<std::string> overrides;
  OtherImages other;
};

}  // namespace

void declare_describe(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("describe", "layers, shapes, parameters, FLOPs, memory");
  command->add_option("config", a->config, "TOML file")->required();
  auto* image = command->add_option("--image", a->other.shape,
                                    "images of this shape instead of the data set's, as 3x224x224");
  command->add_option("--classes", a->other.classes, "their classes; 1000 if not given")
      ->needs(image)
      ->check(CLI::Range(2, 1 << 20));
  declare_overrides(*command, a->overrides);
  command->callback([a, &result] {
    const Config config = load_config(a->config, a->overrides);
    config::at_locations(config.locations, [&] { describe(config, a->other); });
    result = ExitCode::done;
  });
}

}  // namespace easgd
