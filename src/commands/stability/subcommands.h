// The subcommands of `easgd stability`, one file each. Each declares its options, and sets `result`
// once it has run.
#pragma once

#include "base/exit_code.h"

namespace CLI {
class App;
}

namespace easgd::stability {

void declare_point(CLI::App& stability, ExitCode& result);
void declare_map(CLI::App& stability, ExitCode& result);
void declare_trajectory(CLI::App& stability, ExitCode& result);
void declare_moments(CLI::App& stability, ExitCode& result);
void declare_multiplicative(CLI::App& stability, ExitCode& result);
void declare_double_well(CLI::App& stability, ExitCode& result);
void declare_check(CLI::App& stability, ExitCode& result);

}  // namespace easgd::stability
