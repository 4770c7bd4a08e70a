// A run from its configuration to its summary.
#pragma once

#include <exception>
#include <filesystem>
#include <optional>
#include <string>

#include "base/exit_code.h"
#include "runs/pause_point.h"
#include "runs/run_client.h"
#include "runs/summary.h"
#include "settings/config.h"

namespace easgd {

struct RunResult {
  std::filesystem::path folder;
  RunSummary summary;
  ExitCode exit_code = ExitCode::done;
  std::exception_ptr failure = {};  ///< of a run whose status is failed: what failed first

  RunStatus status() const { return summary.status; }
};

/// Trains as `config` says and leaves a run folder (see run_folder.h); an empty `out` picks one.
/// Prints nothing: what there is to see goes to `client`. It stops at `pause`, if that comes before
/// its end: evaluated there, with a checkpoint, and with the status `paused`.
/// Thread: main; one run at a time.
/// Throws: ConfigError, DataError, DeviceError if the run cannot begin; no folder is left then. A
/// run that fails later has a result, and keeps what was reached.
RunResult train(Config config, const std::string& out, RunClient& client,
                std::optional<PausePoint> pause = {});

/// Goes on with the run in a folder, from its last checkpoint. `config` is that of the folder, but
/// for what may change: when the run ends, is tested and is saved.
/// Throws: the same; DataError if there is no checkpoint; ConfigError if another key has changed.
RunResult resume(Config config, const std::string& folder, RunClient& client,
                 std::optional<PausePoint> pause = {});

}  // namespace easgd
