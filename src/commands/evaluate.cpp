#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "base/reason.h"
#include "base/standard_output.h"
#include "base/terminal.h"
#include "commands/commands.h"
#include "data/location.h"
#include "evaluate/test_set.h"
#include "nn/safetensors.h"
#include "settings/load.h"

namespace easgd {
namespace {

Config config_of(const safetensors::File& file, const std::filesystem::path& path,
                 const std::string& given, const std::vector<std::string>& overrides) {
  if (!given.empty()) return load_config(given, overrides);
  const auto carried = file.metadata.find("easgd.config");
  if (carried == file.metadata.end()) {
    throw ConfigError(path.string() +
                      ": carries no configuration; give one with --config CONFIG.toml");
  }
  return parse_config(carried->second, path.string() + " (its easgd.config)", overrides);
}

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

void evaluate(Config& config, const safetensors::File& file, const std::filesystem::path& path) {
  const Data data(config);
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
  std::filesystem::path file_path = path;
  std::string source = given;
  std::error_code error;
  const auto there = std::filesystem::status(file_path, error);
  if (error) {
    const bool absent = error == std::errc::no_such_file_or_directory;
    throw DataError(fmt::format("{}: {}; expected a run folder or a safetensors file",
                                path.empty() ? "\"\"" : path,
                                absent ? "not found" : "cannot be examined: " + error.message()));
  }
  if (std::filesystem::is_directory(there)) {
    const std::filesystem::path resolved = file_path / "config.toml";
    const auto config = std::filesystem::symlink_status(resolved, error);
    if (given.empty() && std::filesystem::exists(config)) source = resolved.string();
    if (error && error != std::errc::no_such_file_or_directory)
      throw DataError(resolved.string() + ": cannot be examined: " + reason(error.value()));
    file_path /= "center.safetensors";
  }
  const safetensors::File file = safetensors::read(file_path);
  Config config = config_of(file, file_path, source, overrides);
  if (given.empty() && !source.empty()) follow_data(config, source);
  config::at_locations(config.locations, [&] { evaluate(config, file, file_path); });
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
