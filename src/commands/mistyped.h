// What to say of a word of the command line that no command knows.
#pragma once

#include <span>
#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace easgd {

/// `app` is the program, or a command with commands of its own; `words` are what follows its name.
/// Throws: ConfigError that names the command that was meant, or all commands.
void check_command(const CLI::App& app, std::span<char* const> words);

/// What `app` has parsed but no command took, in the order given, and the option that the first may
/// stand for.
std::string complaint_about_extras(const CLI::App& app);

/// What else is wrong with a command line, in the words of this program: what the parser says, with
/// the command, and with what an argument that is missing is for.
std::string complaint_about(const CLI::App& app, const CLI::ParseError& error);

}  // namespace easgd
