#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "commands/commands.h"
#include "train/config.h"

namespace easgd {

void declare_help(CLI::App& app, ExitCode& result) {
  const auto topic = std::make_shared<std::string>();
  auto* help = app.add_subcommand("help", "`easgd help config`: every key of a configuration");
  help->add_option("topic", *topic, "config, or nothing for this list");
  help->callback([topic, &app, &result] {
    if (!topic->empty() && *topic != "config") {
      throw ConfigError("help: no topic \"" + *topic +
                        "\"; there is \"config\", and every command has --help");
    }
    // Not app.help(), which would tell of this subcommand only.
    const std::string list =
        app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal);
    std::fputs((*topic == "config" ? config_help() : list).c_str(), stdout);
    result = ExitCode::done;
  });
}

}  // namespace easgd
