#include "train/trainer.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/standard_output.h"
#include "base/unreadable.h"
#include "commands/commands.h"
#include "runs/terminal_client.h"
#include "settings/load.h"
#include "train/from_center.h"

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
  bool from_center = false, quiet = false;
};

Loudness loudness_of(const Arguments& arguments) {
  return arguments.quiet ? Loudness::warnings : Loudness::all;
}

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
  User user(loudness_of(arguments));
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

std::string config_in(const std::string& run) {
  return (std::filesystem::path(run) / "config.toml").string();
}

/// Makes of the arguments those of a new run, which starts from the center of the one that was to
/// be resumed.
void start_from_center(Arguments& arguments) {
  for (const std::string& override : arguments.overrides) {
    if (!override.starts_with("network.init=")) continue;
    throw ConfigError("--set " + override +
                      ": the run's own center is where another begins; expected no network.init "
                      "with --from-center");
  }
  User user(loudness_of(arguments));
  const std::string run = std::exchange(arguments.resumed, "");
  const auto start = take_center(run, [&user](const std::string& text) { user.warn(text); });
  arguments.config = config_in(run);
  arguments.overrides.push_back("network.init=" + start.file.string());
  user.line(fmt::format(
      "starts from the center of version {} of {}; not carried over: replicas and momentum, the "
      "place in schedules and in the data's order, evaluations, counts and times",
      start.version, run));
}

void check(const Arguments& arguments) {
  if (arguments.config.empty() && arguments.resumed.empty()) {
    throw ConfigError(
        "config is required: expected a configuration file, or --resume with the folder of a run");
  }
  std::error_code unknown;
  if (!arguments.resumed.empty() &&
      !std::filesystem::exists(config_in(arguments.resumed), unknown) && !unknown) {
    const bool is_folder = std::filesystem::is_directory(arguments.resumed, unknown);
    throw ConfigError(fmt::format("{}: {}; expected the folder of a run to go on with",
                                  arguments.resumed,
                                  is_folder ? "no config.toml in it" : "is no folder"));
  }
  if (!arguments.resumed.empty()) {
    const std::string why = why_unreadable(config_in(arguments.resumed), kLongestText);
    if (!why.empty()) throw ConfigError(config_in(arguments.resumed) + ": " + why);
  }
  if (!arguments.resumed.empty() && !arguments.out.empty() && !arguments.from_center) {
    throw ConfigError(
        "--out: a run goes on in its own folder; with --from-center another run starts from its "
        "center, and --out names that one's");
  }
}

}  // namespace

void declare_train(CLI::App& app, ExitCode& result) {
  const auto is_given = [](const std::string& text) {  // a script's variable may be unset
    return std::string(text.empty() ? "is empty" : "");
  };
  const auto a = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("train", "train as a configuration says, into a run folder");
  auto* config = command->add_option("config", a->config, "TOML file, see `easgd help config`");
  command->add_option("--out", a->out, "run folder (default: runs/<name>-<n>)")->check(is_given);
  auto* resume = command->add_option("--resume", a->resumed, "go on with the run in this folder");
  resume->excludes(config);
  command
      ->add_flag("--from-center", a->from_center,
                 "with --resume: start another run from its center, as with keys that it refuses")
      ->needs(resume);
  command
      ->add_option("--pause-at", a->pause,
                   "pause there, as epochs=3 or steps=500, to be gone on from by --resume")
      ->check(is_given);
  command->add_flag("--quiet", a->quiet, "say nothing but warnings, errors and the result");
  declare_overrides(*command, a->overrides);
  command->callback([a, &result] {
    check(*a);
    if (a->from_center) start_from_center(*a);
    const std::string file = a->resumed.empty() ? a->config : config_in(a->resumed);
    const Config settings = load_config(file, a->overrides);
    config::at_locations(settings.locations, [&] { result = train(settings, *a); });
  });
}

}  // namespace easgd
