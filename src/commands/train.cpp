#include "train/trainer.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "base/interrupt.h"
#include "base/standard_output.h"
#include "commands/commands.h"
#include "runs/terminal.h"
#include "settings/load.h"

namespace easgd {
namespace {

/// Whoever sits before the program: sees the run on standard error, and ends it by a signal.
class User final : public Terminal {
 public:
  /// The folder is not to be left behind half made.
  void begin() override { catch_interrupts(); }
  bool wants_end() override { return interrupted(); }
  void heard_end() override {
    line("stopping, saving and testing the center; once more, after a second, quits at once");
  }
};

ExitCode train(const Config& config, const std::string& out) {
  hear_signals();
  User user;
  const RunResult result = easgd::train(config, out, user);
  if (has_output()) {  // else it is in summary.json
    output("{}, {}\n", conclusion(result.summary), result.folder.string());
  }
  if (result.failure) std::rethrow_exception(result.failure);
  return result.exit_code;
}

struct Arguments {
  std::string config, out;
  std::vector<std::string> overrides;
};

}  // namespace

void declare_train(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("train", "train as a configuration says, into a run folder");
  command->add_option("config", a->config, "TOML file, see `easgd help config`")->required();
  command->add_option("--out", a->out, "run folder (default: runs/<name>-<n>)");
  declare_overrides(*command, a->overrides);
  command->callback([a, &result] {
    const Config config = load_config(a->config, a->overrides);
    config::at_locations(config.locations, [&] { result = train(config, a->out); });
  });
}

}  // namespace easgd
