#include "train/trainer.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "commands/commands.h"
#include "settings/load.h"

namespace easgd {
namespace {

struct Arguments {
  std::string config, out;
  std::vector<std::string> overrides;
};

}  // namespace

void declare_train(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* train = app.add_subcommand("train", "train as a configuration says, into a run folder");
  train->add_option("config", a->config, "TOML file, see `easgd help config`")->required();
  train->add_option("--out", a->out, "run folder (default: runs/<name>-<n>)");
  declare_overrides(*train, a->overrides);
  train->callback([a, &result] {
    const Config config = load_config(a->config, a->overrides);
    config::at_places(config.places, [&] { result = easgd::train(config, a->out); });
  });
}

}  // namespace easgd
