#include "commands/mistyped.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <regex>

#include "base/error.h"
#include "base/nearest.h"

namespace easgd {

namespace {

/// The command that was given, as far as it is known.
const CLI::App& command_of(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return *command;
}

/// The option "--set", or the argument "file", and what it is for.
std::string described(const CLI::App& command, const std::string& name) {
  const CLI::Option* option = command.get_option_no_throw(name);
  if (!option || option->get_description().empty()) return name;
  return fmt::format("{} ({})", name, option->get_description());
}

}  // namespace

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
  const CLI::App& command = command_of(app);
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  const std::vector<std::string> extras = app.remaining(true);
  const std::string first = extras[0].substr(0, extras[0].find('='));
  return fmt::format("{}: not expected: {}{}", command.get_name(), fmt::join(extras, " "),
                     first.starts_with('-') ? did_you_mean(first, options) : "");
}

std::string complaint_about(const CLI::App& app, const CLI::ParseError& error) {
  static const std::regex kMissing("(.+) is required"), kEmpty("(.+): \\d+ required .+ missing"),
      kApart("(.+) excludes (.+)"), kNeeds("(.+) requires (.+)");
  const std::string text = error.what();
  const CLI::App& command = command_of(app);
  const std::string where = &command == &app ? "" : command.get_name() + ": ";
  std::smatch found;
  if (std::regex_match(text, found, kMissing)) {
    return fmt::format("{}expected {}; found nothing", where, described(command, found[1]));
  }
  if (std::regex_match(text, found, kEmpty)) {
    return fmt::format("{}expected a value behind {}; found nothing", where,
                       described(command, found[1]));
  }
  if (std::regex_match(text, found, kApart)) {
    return fmt::format("{}{} and {} do not go together", where, found[1].str(), found[2].str());
  }
  if (std::regex_match(text, found, kNeeds)) {
    return fmt::format("{}{} goes with {} only", where, found[1].str(), found[2].str());
  }
  return where + text;
}

}  // namespace easgd
