#include "train/trainer.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/standard_output.h"
#include "commands/commands.h"
#include "runs/terminal_client.h"
#include "settings/load.h"

namespace easgd {
namespace {

/// Whoever sits before the program: sees the run on standard error, and ends it by a signal.
class User final : public TerminalClient {
 public:
  using TerminalClient::TerminalClient;

  /// The folder is not to be left behind half made.
  void begin() override { catch_interrupts(); }
  bool wants_end() override { return interrupted(); }
  void heard_end() override {
    line("stopping, saving and testing the center; once more, after a second, quits at once");
  }
};

struct Arguments {
  std::string config, out, resumed, pause;
  std::vector<std::string> overrides;
  bool quiet = false;
};

/// Throws: ConfigError.
std::optional<PausePoint> pause_of(const Arguments& arguments) {
  if (arguments.pause.empty()) return std::nullopt;
  try {
    return pause_point_of(arguments.pause);
  } catch (const ConfigError& e) {
    throw ConfigError(std::string("--pause-at: ") + e.what());
  }
}

ExitCode train(const Config& config, const Arguments& arguments) {
  hear_signals();
  User user(arguments.quiet ? Loudness::warnings : Loudness::all);
  const auto pause = pause_of(arguments);
  const RunResult result = arguments.resumed.empty()
                               ? easgd::train(config, arguments.out, user, pause)
                               : easgd::resume(config, arguments.resumed, user, pause);
  if (has_output()) {  // else it is in summary.json
    output("{}, {}\n", conclusion(result.summary), result.folder.string());
  }
  if (result.failure) std::rethrow_exception(result.failure);
  return result.exit_code;
}

std::string config_of(const Arguments& arguments) {
  return arguments.resumed.empty()
             ? arguments.config
             : (std::filesystem::path(arguments.resumed) / "config.toml").string();
}

}  // namespace

void declare_train(CLI::App& app, ExitCode& result) {
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("train", "train as a configuration says, into a run folder");
  auto* config = command->add_option("config", a->config, "TOML file, see `easgd help config`");
  auto* out = command->add_option("--out", a->out, "run folder (default: runs/<name>-<n>)");
  command->add_option("--resume", a->resumed, "go on with the run in this folder")
      ->excludes(config)
      ->excludes(out);
  command->add_option("--pause-at", a->pause,
                      "pause there, as epochs=3 or steps=500, to be gone on from by --resume");
  command->add_flag("--quiet", a->quiet, "say nothing but warnings, errors and the result");
  declare_overrides(*command, a->overrides);
  command->callback([a, config, &result] {
    if (config->count() == 0 && a->resumed.empty()) {
      throw ConfigError("config is required, a TOML file; or --resume, with the folder of a run");
    }
    const Config settings = load_config(config_of(*a), a->overrides);
    config::at_locations(settings.locations, [&] { result = train(settings, *a); });
  });
}

}  // namespace easgd
