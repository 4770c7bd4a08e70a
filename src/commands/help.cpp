#include <CLI/CLI.hpp>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/nearest.h"
#include "base/standard_output.h"
#include "commands/commands.h"
#include "settings/config_help.h"
#include "sweep/sweep_file.h"

namespace easgd {
namespace {

/// What begins the keys of one layer, algorithm or data set.
bool is_owner(const std::string& line) {
  return line.starts_with("  type = ") || line.starts_with("  algorithm.name = ") ||
         line.starts_with("  data.set = ");
}

/// Of a help text, the keys whose name, or whose owner's name, has `part` in it.
/// Throws: ConfigError if there is none.
std::string help_on(const std::string& part, const std::string& text) {
  std::istringstream lines(text);
  std::vector<std::string> names;
  std::string found, owner;
  bool wanted = false, is_wanted_owner = false;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t indent = line.find_first_not_of(' ');
    if (is_owner(line)) {
      owner = "\n" + line + "\n";
      wanted = false;
      is_wanted_owner = line.find('"' + part + '"') != std::string::npos;
    } else if (indent == 2) {
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
      wanted = is_wanted_owner || names.back().find(part) != std::string::npos;
    } else if (indent == 0) {
      owner.clear();
      is_wanted_owner = false;
    }
    wanted = wanted && indent != 0 && indent != std::string::npos;
    if (wanted) found += std::exchange(owner, "") + line + "\n";
  }
  if (!found.empty()) return found;
  throw ConfigError("help: no key has \"" + part + "\" in its name" + did_you_mean(part, names));
}

std::string text_of(const std::string& topic) {
  if (topic == "config") return config_help();
  if (topic == "sweep") return sweep_help();
  throw ConfigError("help: no topic \"" + topic +
                    "\"; there are \"config\" and \"sweep\", and every command has --help");
}

}  // namespace

void declare_help(CLI::App& app, ExitCode& result) {
  const auto topic = std::make_shared<std::string>(), part = std::make_shared<std::string>();
  auto* help = app.add_subcommand(
      "help",
      "`easgd help config`: every key of a configuration; `help config tau`: those like tau; "
      "`help sweep`: those of a sweep file");
  help->add_option("topic", *topic, "config or sweep, or nothing for this list");
  help->add_option("part", *part, "of the keys' names");
  help->callback([topic, part, &app, &result] {
    if (topic->empty()) {
      // Not app.help(), which would print the help of this subcommand only.
      write_output(
          app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal));
    } else {
      const std::string text = text_of(*topic);
      write_output(part->empty() ? text : help_on(*part, text));
    }
    result = ExitCode::done;
  });
}

}  // namespace easgd
