// From a configuration to TOML: what a run records of itself.
#pragma once

#include <string>

#include "settings/config.h"

namespace easgd {

/// The TOML text that repeats the run.
std::string dump_config(Config config);

/// Everything that the result of a run depends on beside the order of absorption. Evaluation
/// belongs to it if it `recomputes` running statistics, which are saved with the center.
std::string dump_replay_config(Config config, bool recomputes);

/// What evaluation depends on and nothing else: the data, without their folder, and the network.
std::string dump_evaluation_config(Config config);

/// Checks that what a run is going to record reads back to the same.
/// Throws: ConfigError with the key whose value does not.
void check_reads_back(Config config);

/// Checks that every text that config.toml has to hold is UTF-8. data.dir may be something else:
/// a run repeats without it.
/// Throws: KeyError.
void check_recordable(Config config);

}  // namespace easgd
