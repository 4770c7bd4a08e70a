// The commands of the program, one file each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace CLI {
class App;
}

namespace easgd {

/// easgd train: see train/trainer.h.
ExitCode train_command(const std::string& config, const std::vector<std::string>& overrides,
                       const std::string& out);

/// easgd evaluate: loss and error of a run folder or of a safetensors file over the test set. Data
/// and network come from the folder's config.toml or, for a file, from the configuration it
/// carries; `config` replaces either where it is not empty.
ExitCode evaluate_command(const std::string& path, const std::string& config,
                          const std::vector<std::string>& overrides);

/// easgd describe: layers, shapes, parameters, FLOPs and memory of a configuration.
ExitCode describe_command(const std::string& config, const std::vector<std::string>& overrides);

/// easgd stability: declares its subcommands in `app`; each calls `done` once it has run.
void declare_stability(CLI::App& app, std::function<void()> done);

/// easgd locate: where a data set would be read from. Returns `data` where it is not to be found.
ExitCode locate_command(const std::string& set, const std::string& dir);

}  // namespace easgd
