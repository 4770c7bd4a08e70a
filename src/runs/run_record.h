// What an earlier run has left, or what one that is going on has written so far.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "runs/events.h"
#include "runs/summary.h"
#include "settings/config.h"

namespace easgd {

struct RunRecord {
  std::filesystem::path folder;
  std::optional<Config> config;       ///< nothing while the run is being set up
  std::optional<RunSummary> summary;  ///< nothing until the workers have ended
  std::vector<Event> events;          ///< without those of kinds that this program does not know
};

/// A last line of metrics.jsonl that has no end is left out: it is being written, or was torn.
/// Throws: DataError if the folder is no run's, or a file in it cannot be read or is damaged;
/// ConfigError if config.toml is.
RunRecord read_run(const std::filesystem::path& folder);

/// Of the run in a folder; nothing while it is being set up.
/// Throws: DataError if it cannot be read; ConfigError if it is damaged.
std::optional<Config> find_run_config(const std::filesystem::path& folder);

/// Of the run in a folder; nothing if there is none yet, or it cannot be read.
std::optional<RunSummary> find_summary(const std::filesystem::path& folder);

}  // namespace easgd
