#include "commands/mistyped.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/error.h"
#include "base/nearest.h"

namespace easgd {

void check_command(const CLI::App& app, std::span<char* const> words) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  const std::string word = words.empty() ? "" : words[0];
  const bool option = word.starts_with('-');
  if (names.empty() || (option && app.get_option_no_throw(word))) return;
  if (std::ranges::count(names, word)) {
    return check_command(*app.get_subcommand(word), words.subspan(1));
  }
  const std::string guess = did_you_mean(word, names);
  throw ConfigError(fmt::format(
      "{}{}{}{}", app.get_parent() ? app.get_name() + ": " : "",
      word.empty() ? "no command"
      : option     ? "no such option: "
                   : "no such command: ",
      word, guess.empty() ? fmt::format("; expected one of {}", fmt::join(names, ", ")) : guess));
}

std::string complaint_about_extras(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  std::vector<std::string> options;
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  const std::vector<std::string> extras = app.remaining(true);
  const std::string first = extras[0].substr(0, extras[0].find('='));
  return fmt::format("{}: not expected: {}{}", command->get_name(), fmt::join(extras, " "),
                     first.starts_with('-') ? did_you_mean(first, options) : "");
}

}  // namespace easgd
