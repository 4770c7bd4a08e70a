// A run as a report needs it: whatever could be read of its folder, and what could not.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runs/events.h"
#include "runs/summary.h"

namespace easgd::report {

struct ReportedRun {
  std::filesystem::path folder;
  std::string identity;                         ///< of its configuration, if that is known
  std::string status;                           ///< as in summary.json; else "running",
                                                ///< "unfinished", "unreadable", "missing", or a
                                                ///< sweep's word
  std::vector<std::string> notes;               ///< what is wrong with it, a line each
  std::map<std::string, std::string> settings;  ///< dotted key -> value; empty without config.toml
  bool is_planned = false;                      ///< `settings` has only what a sweep has planned:
                                                ///< its axes and the seed
  std::vector<std::string> adapted;             ///< what a sweep gave its method besides
  std::optional<RunSummary> summary;
  std::vector<EvaluationEvent> evaluations;
  std::vector<ProgressEvent> progress;

  /// It has come to its end, so that its figures may be compared with others'.
  bool is_complete() const { return status == "done" || status == "diverged"; }
  /// Its seed, by which it is paired; empty if it is not known.
  std::string seed() const { return setting("seed"); }
  /// Empty if it is not given.
  std::string setting(const std::string& key) const;
  /// Whether its evaluations are in virtual time.
  bool is_virtual() const { return setting("center.order") == "virtual"; }
};

/// Throws: nothing that a file in the folder is to blame for: that is a note.
ReportedRun read_reported_run(const std::filesystem::path& folder);

}  // namespace easgd::report
