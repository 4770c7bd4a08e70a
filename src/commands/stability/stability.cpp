// easgd stability: the paper's and the thesis's stability analysis as a tool.

#include <CLI/CLI.hpp>

#include "commands/commands.h"
#include "commands/stability/subcommands.h"

namespace easgd {

void declare_stability(CLI::App& app, ExitCode& result) {
  CLI::App& command = *app.add_subcommand("stability", "the stability analysis of ADMM and EASGD");
  command.require_subcommand(1);
  command.option_defaults()->always_capture_default();
  stability::declare_point(command, result);
  stability::declare_map(command, result);
  stability::declare_trajectory(command, result);
  stability::declare_moments(command, result);
  stability::declare_multiplicative(command, result);
  stability::declare_double_well(command, result);
  stability::declare_check(command, result);
}

}  // namespace easgd
