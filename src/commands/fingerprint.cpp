#include "train/fingerprint.h"

#include <CLI/CLI.hpp>

#include "base/standard_output.h"
#include "commands/commands.h"

namespace easgd {

void declare_fingerprint(CLI::App& app, ExitCode& result) {
  auto* command = app.add_subcommand(
      "fingerprint", "a number for what each method computes: structure may change, these may not");
  command->callback([&result] {
    const auto each = fingerprints();
    for (const auto& [name, number] : each) output("{:016x} {}\n", number, name);
    output("{:016x} all\n", fingerprint_of_all(each));
    result = ExitCode::done;
  });
}

}  // namespace easgd
