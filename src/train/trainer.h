// A run from its configuration to its summary.
#pragma once

#include <string>

#include "base/error.h"
#include "settings/config.h"

namespace easgd {

/// Trains as `config` says and leaves a run folder (see run_folder.h); an empty `out` picks one.
/// Thread: main. Looks at `interrupted()` and then ends early, with everything kept.
/// Returns: done or interrupted.
/// Throws: ConfigError, DataError, DeviceError; a run folder that was begun keeps what was reached.
ExitCode train(Config config, const std::string& out);

}  // namespace easgd
