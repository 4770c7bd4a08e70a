#include "train/resumed_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "runs/checkpoint_folder.h"
#include "runs/run_record.h"
#include "settings/dump.h"
#include "settings/identity.h"
#include "settings/load.h"

namespace easgd {
namespace {

constexpr const char* kRun = "run";

/// Keys that say when a run ends, is tested and is saved, and what is called how.
bool may_change(const std::string& key, const Config& config) {
  const bool has_planned_ends = config.center.order == OrderKind::virtual_time;
  if (has_planned_ends && (key == "stop.epochs" || key == "stop.steps")) return false;
  if (key == "name" || key == "data.dir") return true;
  return std::ranges::any_of(
      std::initializer_list<const char*>{"stop.", "evaluate.", "checkpoint.", "profile."},
      [&](const char* table) { return key.starts_with(table); });
}

std::string value_in(const std::map<std::string, std::string>& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "not given" : found->second;
}

void check_same_run(const std::string& recorded, const Config& config) {
  const auto was = flat_settings(parse_config(recorded, "the checkpoint", {}));
  const auto is = flat_settings(config);
  std::set<std::string> keys;
  for (const auto& [key, value] : was) keys.insert(key);
  for (const auto& [key, value] : is) keys.insert(key);
  for (const std::string& key : keys) {
    const std::string before = value_in(was, key), now = value_in(is, key);
    if (before == now || may_change(key, config)) continue;
    throw KeyError(
        key,
        fmt::format("is {} in the run that is to go on, {} here; only stop, "
                    "evaluate, checkpoint, profile, name and data.dir may change{}",
                    before, now, key.starts_with("stop.") ? ", and no end in virtual time" : ""));
  }
}

}  // namespace

std::optional<Checkpoint> find_checkpoint(const RunPlace& place, const RunFolder& folder,
                                          const Config& config, RunClient& client) {
  if (!place.is_resumed) return std::nullopt;
  auto checkpoint = CheckpointFolder(folder.path()).load([&client](const std::string& message) {
    client.warn(message);
  });
  if (!checkpoint) {
    throw DataError(fmt::format(
        "{}: has no checkpoint to go on from; `easgd train {} --out ANOTHER` begins it again",
        folder.path().string(), folder.file("config.toml").string()));
  }
  check_same_run(checkpoint->get(kRun).text("config"), config);
  return checkpoint;
}

double seconds_of(const Checkpoint& checkpoint) {
  return checkpoint.get(kRun).number("seconds");
}

void add_run(Checkpoint& checkpoint, const Config& config, double seconds) {
  SavedState& run = checkpoint.sections[kRun];
  run.texts["config"] = dump_config(config);
  run.numbers["seconds"] = {seconds};
}

void drop_later_events(RunFolder& folder, const Checkpoint& checkpoint) {
  const SavedState& evaluations = checkpoint.get("evaluations");
  const auto& versions = evaluations.counts("version", evaluations.counter("count"));
  const std::set<std::uint64_t> tested(versions.begin(), versions.end());
  const double seconds = seconds_of(checkpoint);
  folder.drop_events([&](const Event& event) {
    if (const auto* evaluation = std::get_if<EvaluationEvent>(&event)) {
      return !tested.contains(evaluation->version);
    }
    if (const auto* failure = std::get_if<FailureEvent>(&event)) {
      return failure->seconds > seconds;
    }
    if (const auto* restart = std::get_if<RestartEvent>(&event)) {
      return restart->seconds > seconds;
    }
    const auto* progress = std::get_if<ProgressEvent>(&event);
    return progress && progress->seconds > seconds;
  });
}

void check_unfinished(const std::string& folder, const Config& config) {
  const std::optional<RunSummary> summary = find_summary(folder);
  if (!summary || summary->status == RunStatus::interrupted ||
      summary->status == RunStatus::failed) {
    return;
  }
  const RunRecord record = read_run(folder);
  if (!record.config) return;
  const auto was = flat_settings(*record.config), is = flat_settings(config);
  for (const char* key : {"stop.epochs", "stop.steps", "stop.seconds", "stop.test_error"}) {
    if (value_in(was, key) != value_in(is, key)) return;
  }
  throw ConfigError(
      fmt::format("{}: the run has come to its end; another end lets it go on, as in --set "
                  "stop.epochs=40",
                  folder));
}

}  // namespace easgd
