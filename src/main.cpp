// easgd: arguments -> command -> exit code.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "base/error.h"
#include "base/nearest.h"
#include "commands/commands.h"
#include "train/config.h"

namespace {

using easgd::ExitCode;

struct Arguments {
  std::string path, config, out, dir, topic;
  std::vector<std::string> overrides;
};

void declare(CLI::App& app, Arguments& a, ExitCode& result) {
  app.require_subcommand(1);
  app.set_help_flag("-h,--help", "this text");
  app.set_version_flag("--version", "easgd " EASGD_VERSION);
  const auto overridable = [&a](CLI::App* command) {
    command
        ->add_option("--set", a.overrides,
                     "override a key, as in algorithm.tau=4; algorithm.beta= takes it away")
        ->allow_extra_args(false);
  };

  auto* train = app.add_subcommand("train", "train as a configuration says, into a run folder");
  train->add_option("config", a.config, "TOML file, see `easgd help config`")->required();
  train->add_option("--out", a.out, "run folder (default: runs/<name>-<n>)");
  overridable(train);
  train->callback([&] { result = easgd::train_command(a.config, a.overrides, a.out); });

  auto* evaluate = app.add_subcommand("evaluate", "test error of a run folder or safetensors file");
  evaluate->add_option("path", a.path, "run folder or safetensors file")->required();
  evaluate->add_option("--config", a.config, "instead of the configuration the file carries");
  overridable(evaluate);
  evaluate->callback([&] { result = easgd::evaluate_command(a.path, a.config, a.overrides); });

  auto* describe = app.add_subcommand("describe", "layers, shapes, parameters, FLOPs, memory");
  describe->add_option("config", a.config, "TOML file")->required();
  overridable(describe);
  describe->callback([&] { result = easgd::describe_command(a.config, a.overrides); });

  auto* locate = app.add_subcommand("locate", "where a data set would be read from");
  locate->add_option("set", a.path, "name of the data set")->required();
  locate->add_option("--dir", a.dir, "its folder or its parent");
  locate->callback([&] { result = easgd::locate_command(a.path, a.dir); });

  easgd::declare_stability(app, [&] { result = ExitCode::done; });

  auto* help = app.add_subcommand("help", "`easgd help config`: every key of a configuration");
  help->add_option("topic", a.topic, "config, or nothing for this list");
  help->callback([&] {
    if (!a.topic.empty() && a.topic != "config") {
      throw easgd::ConfigError("help: no such topic: " + a.topic +
                               easgd::did_you_mean(a.topic, {"config"}));
    }
    std::fputs((a.topic == "config" ? easgd::config_help() : app.help()).c_str(), stdout);
  });
}

/// CLI11 knows words that are too many; a person wants to hear which command was meant.
void check_command(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (argc < 2 || argv[1][0] == '-') return;
  if (std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    throw easgd::ConfigError(
        fmt::format("no such command: {}{}", argv[1], easgd::did_you_mean(argv[1], names)));
  }
}

int fail(ExitCode code, const char* line) {
  std::fputs(fmt::format("easgd: {}\n", line).c_str(), stderr);
  return int(code);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Elastic Averaging SGD on one machine");
  Arguments arguments;
  ExitCode result = ExitCode::done;
  declare(app, arguments, result);
  try {
    if (argc < 2) {
      std::fputs(app.help().c_str(), stderr);
      return int(ExitCode::configuration);
    }
    check_command(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return fail(ExitCode::configuration, error.what());
  }
  return int(result);
} catch (const easgd::Error& error) {
  return fail(error.exit_code(), error.what());
} catch (const std::bad_alloc&) {
  return fail(ExitCode::device,
              "cpu: out of memory; `easgd describe` shows what a network needs; "
              "use a smaller batch, network or set");
} catch (const std::exception& error) {
  return fail(ExitCode::bug, error.what());
}
