#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/standard_output.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "commands/trained_file.h"
#include "data/location.h"
#include "evaluate/test_set.h"
#include "runs/center_metadata.h"

namespace easgd {
namespace {

/// If the data of a run are no longer where the run found them, they are looked for in $EASGD_DATA.
/// `source` is the run's own config.toml; a data.dir that does not come from there stays as it is.
void follow_data(Config& config, const std::string& source) {
  std::string& dir = config.data.dir;
  const auto location = config.locations.keys.find("data.dir");
  if (dir.empty() || location == config.locations.keys.end() ||
      !location->second.starts_with(source + ":") || !moved_away(config.data.set, dir))
    return;
  const std::string variable = data_variable();
  const std::string found =
      fmt::format("{}: not found in {}, where the run had it (data.dir)", config.data.set, dir);
  if (variable.empty() || moved_away(config.data.set, variable))
    throw DataError(
        fmt::format("{}{}; say where it is now with EASGD_DATA=DIR or --set data.dir=DIR", found,
                    variable.empty() ? "" : ", nor in $EASGD_DATA (" + variable + ")"));
  if (!locate(config.data.set, variable))
    throw DataError(
        fmt::format("{}; {}", found, why_not_located(config.data.set, variable, "$EASGD_DATA")));
  write_line(fmt::format("{}; taken from $EASGD_DATA ({})", found, variable));
  dir.clear();
}

/// Labels are numbers: they must be those of the same classes.
/// Throws: DataError.
void check_classes(const safetensors::File& file, const std::filesystem::path& path,
                   const Data& data) {
  const std::optional<TrainedOn> carried = trained_on(file.metadata, path);
  if (!carried) return;
  const std::vector<std::string>& wanted = carried->class_names;
  const std::vector<std::string> found = trained_on(data).class_names;
  const auto [one, other] = std::ranges::mismatch(wanted, found);
  if (wanted.empty() || found.empty() || (one == wanted.end() && other == found.end())) return;
  const auto shown = [](auto it, auto end) { return it == end ? "none" : '"' + *it + '"'; };
  throw DataError(fmt::format(
      "{}: expected the classes that {} was trained on, number {} {}; found {}", data.split.source,
      path.string(), one - wanted.begin(), shown(one, wanted.end()), shown(other, found.end())));
}

void evaluate(Config& config, const safetensors::File& file, const std::filesystem::path& path) {
  const Data data(config);
  check_classes(file, path, data);
  const Network network =
      make_network(config, data.split.test->shape(), data.split.test->classes());
  Buffer state = host_buffer(network.state_count());
  safetensors::load(file, path, network, state);
  const Tally tally = TestSet(config, data, network).evaluate(state);
  const bool finite = std::isfinite(tally.mean_loss());
  const std::optional<double> top5_error = tally.top5_error(network.classes());
  output("{}: {} test images, test loss {}, test error {:.4f} %{}\n", path.string(), tally.samples,
         finite ? fmt::format("{:.6f}", tally.mean_loss()) : "not finite", 100 * tally.error(),
         top5_error ? fmt::format(", top-5 error {:.4f} %", 100 * *top5_error) : "");
  std::string bad = safetensors::not_finite(network, state);
  if (bad.empty() && !finite) bad = "the test loss is not finite";
  if (bad.empty()) return;
  finish_output();
  throw DataError(path.string() + ": " + bad + ": the run diverged (a lower learning rate?)");
}

void evaluate(const std::string& path, const std::string& given,
              const std::vector<std::string>& overrides) {
  TrainedFile trained = open_trained(path, given, overrides);
  Config& config = trained.config;
  if (!trained.own_config.empty()) follow_data(config, trained.own_config);
  config::at_locations(config.locations, [&] { evaluate(config, trained.file, trained.path); });
}

struct Arguments {
  std::string path, config;
  std::vector<std::string> overrides;
};

}  // namespace

void declare_evaluate(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("evaluate", "test error of a run folder or safetensors file");
  command->add_option("path", a->path, "run folder or safetensors file")->required();
  command->add_option("--config", a->config, "instead of the configuration the file carries");
  declare_overrides(*command, a->overrides);
  command->callback([a, &result] {
    evaluate(a->path, a->config, a->overrides);
    result = ExitCode::done;
  });
}

}  // namespace easgd
