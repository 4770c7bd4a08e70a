// easgd: arguments -> command -> exit code.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <system_error>

#include "base/error.h"
#include "base/nearest.h"
#include "base/standard_output.h"
#include "commands/commands.h"
#include "commands/mistyped.h"
#include "train/config.h"

namespace {

using easgd::ExitCode;

struct Arguments {
  std::string path, config, out, dir, topic;
  std::vector<std::string> overrides;
};

void declare(CLI::App& app, Arguments& a, ExitCode& result) {
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 bug, 2 configuration, 3 data (files, full disks), 4 device,\n"
      "130 interrupted after saving, 131 interrupted once more, without saving");
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
    // Not app.help(), which would tell of this subcommand only.
    const std::string list =
        app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal);
    std::fputs((a.topic == "config" ? easgd::config_help() : list).c_str(), stdout);
  });
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
    std::signal(SIGXFSZ, SIG_IGN);  // a limit on files is a failure of the write, like a full disk
    easgd::check_command(app, std::span(argv + 1, argv + argc));
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);
  } catch (const CLI::ExtrasError&) {
    return fail(ExitCode::configuration, easgd::complaint_about_extras(app).c_str());
  } catch (const CLI::ParseError& error) {
    return fail(ExitCode::configuration, error.what());
  }
  easgd::finish_output();
  return int(result);
} catch (const easgd::Error& error) {
  return fail(error.exit_code(), error.what());
} catch (const std::bad_alloc&) {
  return fail(ExitCode::device,
              "cpu: out of memory; `easgd describe` shows what a network needs; "
              "use a smaller batch, network or set");
} catch (const std::system_error& error) {
  if (!std::ferror(stdout)) return fail(ExitCode::bug, error.what());
  const std::string why = error.code().message();
  return fail(ExitCode::data, ("standard output: cannot be written: " + why).c_str());
} catch (const std::exception& error) {
  return fail(ExitCode::bug, error.what());
}
