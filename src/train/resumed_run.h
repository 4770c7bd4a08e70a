// What a run that goes on has behind it.
#pragma once

#include <optional>
#include <string>

#include "exchange/checkpoint.h"
#include "runs/journal.h"
#include "runs/pause_point.h"
#include "runs/run_client.h"
#include "runs/run_folder.h"
#include "settings/config.h"
#include "train/resolve.h"

namespace easgd {

/// The folder that a run writes into, whether one has begun there that it goes on with, and where
/// it is to pause.
struct RunPlace {
  std::string folder;
  bool is_resumed = false;
  std::optional<PausePoint> pause = {};
};

/// resolve() for a run that goes on in a folder. Where the network fits other data only, because
/// classes have gone, those are told.
/// Throws: the same, KeyError.
ResolvedRun resolve_again(const Config& config, const std::string& folder);

/// The last whole checkpoint of the folder, if the place is a resumed one.
/// Throws: DataError if there is none; KeyError if the configuration of `run` differs from that of
/// the checkpoint in a key that is more than when the run ends, is tested and is saved, if its
/// data are others, or if it ends before the end that the run has come to.
std::optional<Checkpoint> find_checkpoint(const RunPlace& place, const RunFolder& folder,
                                          const ResolvedRun& run, RunClient& client);

/// Training time of a checkpoint, in seconds.
double seconds_of(const Checkpoint& checkpoint);

/// The configuration that a checkpoint's run had, as TOML.
const std::string& config_in(const Checkpoint& checkpoint);

/// Adds what a run has beside its team.
void add_run(Checkpoint& checkpoint, const ResolvedRun& run, double seconds);

/// The identity that the run was given at its beginning, unless its configuration is another now:
/// then `computed`. The folder's own configuration has choices in it that nobody gave.
std::string identity_in(const Checkpoint& checkpoint, const Config& config,
                        const std::string& computed);

/// What has been found in a log out of which that is gone which came after a checkpoint.
struct CutLog {
  LostPart lost;
  bool tells_step_back = false;  ///< to the checkpoint
};

/// Takes out of metrics.jsonl what has come after a checkpoint.
/// Throws: DataError if that cannot be done; the log is what it was then.
CutLog drop_later_events(RunFolder& folder, const Checkpoint& checkpoint);

/// Throws: ConfigError if the run in the folder has come to its end, and `config` gives it no other
/// one; KeyError if it differs besides in a key that may not change.
void check_unfinished(const std::string& folder, const Config& config);

}  // namespace easgd
