#include <CLI/CLI.hpp>

#include "commands/commands.h"

namespace easgd {

void declare_overrides(CLI::App& command, std::vector<std::string>& overrides) {
  command
      .add_option(
          "--set", overrides,
          "override a key, as in algorithm.tau=4; text stands as it is; algorithm.beta= takes "
          "it away")
      ->allow_extra_args(false);
}

}  // namespace easgd
