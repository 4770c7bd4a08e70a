#include "train/resumed_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backend/backend_kind.h"
#include "base/error.h"
#include "runs/checkpoint_folder.h"
#include "runs/run_record.h"
#include "settings/dump.h"
#include "settings/identity.h"
#include "settings/load.h"

namespace easgd {
namespace {

constexpr const char* kRun = "run";

/// Keys that change no bit of a run until something fails.
bool is_for_failures(const std::string& key) {
  return key == "data.on_bad_image" || key == "workers.on_failure" || key == "workers.patience" ||
         key == "workers.refusals" || key == "debug.fail" || key.starts_with("guard.");
}

bool threads_may_change(const Config& was, const Config& is) {
  return Registry<BackendKind>::get("cpu").same_bits(
      std::size_t(is.workers.batch), int(was.workers.threads), int(is.workers.threads));
}

/// Keys that say when a run ends, is tested and is saved, what is called how, and what follows a
/// failure. A replay repeats what did.
bool may_change(const std::string& key, const Config& config) {
  if (is_for_failures(key)) return config.center.order != OrderKind::replay;
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

/// `source`: the file that says what the run has had.
void check_same_run(const Config& of_run, const std::string& source, const Config& config) {
  const auto was = flat_settings(of_run);
  const auto is = flat_settings(config);
  std::set<std::string> keys;
  for (const auto& [key, value] : was) keys.insert(key);
  for (const auto& [key, value] : is) keys.insert(key);
  for (const std::string& key : keys) {
    const std::string before = value_in(was, key), now = value_in(is, key);
    if (before == now || may_change(key, config)) continue;
    if (key == "workers.threads" && threads_may_change(of_run, config)) continue;
    throw KeyError(
        key,
        fmt::format(
            "is {} in the run that is to go on, {} here; only stop, evaluate, checkpoint, "
            "profile, guard, name, data.dir, data.on_bad_image, debug.fail and what workers "
            "have for failures may change{}; --from-center starts another run from its center; "
            "what it has had is in {}",
            before, now,
            key.starts_with("stop.")   ? ", and no end in virtual time"
            : key == "workers.threads" ? ", and threads where the bits stay the same"
            : is_for_failures(key)     ? ", and no such key in a replay"
                                       : "",
            source));
  }
}

/// Training and test images, before they are limited, and classes.
std::vector<std::uint64_t> sizes_of(const DataSplit& split) {
  return {split.train->size(), split.test->size(), std::uint64_t(split.train->classes())};
}

using Sizes = std::vector<std::uint64_t>;

[[noreturn]] void fail_at_data(const Sizes& was, const Sizes& is) {
  const auto told = [](const Sizes& sizes) {
    return fmt::format("{} training and {} test images of {} classes", sizes[0], sizes[1],
                       sizes[2]);
  };
  throw KeyError("data.dir",
                 fmt::format("the run that is to go on has been trained with {}, and here are {}; "
                             "--from-center starts another run with these from its center",
                             told(was), was == is ? "others, as many" : told(is)));
}

/// Earlier programs have not said what their data were, or not what is in them.
void check_same_data(const SavedState& saved, const ResolvedRun& run) {
  if (!saved.counters.contains("data")) return;
  const Sizes &was = saved.counts("data", 3), is = sizes_of(run.data->split);
  const bool knows_content = run.data_content && saved.counters.contains("content");
  const bool is_same = was == is && saved.text("data") == run.data_identity &&
                       (!knows_content || saved.counter("content") == *run.data_content);
  if (!is_same) fail_at_data(was, is);
}

/// Throws: KeyError if data of the configuration are not as many as the run was trained with.
void check_same_sizes(const std::string& folder, const Config& config) {
  try {
    const auto checkpoint = CheckpointFolder(folder).look([](const std::string&) {});
    if (!checkpoint || !checkpoint->get(kRun).counters.contains("data")) return;
    const Sizes& was = checkpoint->get(kRun).counts("data", 3);
    const Sizes is =
        sizes_of(config.data.reader()->read({config.data.dir, std::uint64_t(config.seed)}));
    if (was != is) fail_at_data(was, is);
  } catch (const DataError&) {  // something else has been found
  }
}

/// Says of each event whether it came after a checkpoint, and sums up what did and what did not.
struct LaterEvents {
  explicit LaterEvents(const Checkpoint& checkpoint)
      : version(checkpoint.version), seconds(seconds_of(checkpoint)) {
    const SavedState& evaluations = checkpoint.get("evaluations");
    const auto& versions = evaluations.counts("version", evaluations.counter("count"));
    tested.insert(versions.begin(), versions.end());
  }
  bool operator()(const EvaluationEvent& e) {
    reach(e.version);
    return !tested.contains(e.version);
  }
  bool operator()(const ProgressEvent& e) {
    std::uint64_t exchanges = 0;
    for (const WorkerProgress& worker : e.workers) exchanges += worker.exchanges;
    reach(exchanges, e.seconds);
    return e.seconds > seconds;
  }
  bool operator()(const WarningEvent& e) { return e.seconds && is_later(0, *e.seconds); }
  /// Several of these may be of one version.
  bool operator()(const FailureEvent& e) { return is_later(e.version, e.seconds); }
  bool operator()(const RestartEvent& e) { return is_later(e.version, e.seconds); }
  bool operator()(const GuardEvent& e) {
    if (is_later(e.version, e.seconds)) return true;
    log.tells_step_back = log.tells_step_back || e.to_version == version;
    return false;
  }
  template <class OfCheckpoint>
  bool operator()(const OfCheckpoint& e) {
    reach(e.version, e.seconds);
    return e.version > version;
  }
  bool is_later(std::uint64_t its_version, double its_seconds) {
    reach(its_version, its_seconds);
    return its_seconds > seconds;
  }
  void reach(std::uint64_t later_version, double later_seconds = 0) {
    if (later_version > version) {
      log.lost.versions = std::max(log.lost.versions, later_version - version);
    }
    log.lost.seconds = std::max(log.lost.seconds, later_seconds - seconds);
  }

  const std::uint64_t version;
  const double seconds;
  std::set<std::uint64_t> tested;
  CutLog log;
};

/// Of the run in the folder, unless it was cut short.
std::optional<RunSummary> find_end(const std::string& folder) {
  std::optional<RunSummary> summary = find_summary(folder);
  const bool is_over = summary && summary->status != RunStatus::interrupted &&
                       summary->status != RunStatus::paused && summary->status != RunStatus::failed;
  return is_over ? std::move(summary) : std::nullopt;
}

/// Throws: KeyError if a run that is over would lose what it has to an end before that.
void check_end(const std::string& folder, const ResolvedRun& run) {
  const std::optional<RunSummary> end = find_end(folder);
  if (!end) return;
  const std::optional<double>& seconds = run.config.stop.seconds;
  if (seconds && *seconds <= end->wall_seconds) {
    throw KeyError("stop.seconds", fmt::format("is {}; the run has come to its end after {:.1f} s, "
                                               "expected more",
                                               *seconds, end->wall_seconds));
  }
  for (std::size_t i = 0; i < run.workers.size() && i < end->steps.size(); ++i) {
    if (run.schedule.steps(i) >= end->steps[i]) continue;
    throw KeyError(run.config.stop.steps ? "stop.steps" : "stop.epochs",
                   fmt::format("gives worker {} {} steps; the run has come to its end after {}, "
                               "expected more",
                               i, run.schedule.steps(i), end->steps[i]));
  }
}

/// What a run that is over can do with another end.
std::string remedy_at_end(const std::string& folder, const Config& config) {
  switch (config.center.order) {
    case OrderKind::replay:
      return ", that of its recording";
    case OrderKind::virtual_time:
      return ", which is planned in virtual time; --from-center starts another run from its last "
             "checkpoint";
    default:
      break;
  }
  if (CheckpointFolder(folder).is_empty()) {
    return ", and left no checkpoint on its way; network.init can start another run from its "
           "center.safetensors";
  }
  return "; a later one lets it go on from its last checkpoint, as in --set stop.epochs=<more>";
}

}  // namespace

ResolvedRun resolve_again(const Config& config, const std::string& folder) {
  try {
    return resolve(config);
  } catch (const ConfigError&) {
    check_same_sizes(folder, config);
    throw;
  }
}

std::optional<Checkpoint> find_checkpoint(const RunPlace& place, const RunFolder& folder,
                                          const ResolvedRun& run, RunClient& client) {
  if (!place.is_resumed) return std::nullopt;
  auto checkpoint = CheckpointFolder(folder.path()).load([&client](const std::string& message) {
    client.warn(message);
  });
  if (!checkpoint) {
    throw DataError(fmt::format(
        "{}: has no checkpoint to go on from; `easgd train {} --out ANOTHER` begins it again{}",
        folder.path().string(), folder.file("config.toml").string(),
        advice_of_center(folder.path())));
  }
  check_same_run(parse_config(config_in(*checkpoint), "the checkpoint", {}),
                 CheckpointFolder::file_of(checkpoint->version), run.config);
  check_same_data(checkpoint->get(kRun), run);
  check_end(place.folder, run);
  return checkpoint;
}

double seconds_of(const Checkpoint& checkpoint) {
  return checkpoint.get(kRun).number("seconds");
}

const std::string& config_in(const Checkpoint& checkpoint) {
  return checkpoint.get(kRun).text("config");
}

void add_run(Checkpoint& checkpoint, const ResolvedRun& run, double seconds) {
  SavedState& saved = checkpoint.sections[kRun];
  saved.texts["config"] = dump_config(run.config);
  saved.texts["identity"] = run.identity;
  saved.texts["data"] = run.data_identity;
  saved.counters["data"] = sizes_of(run.data->split);
  if (run.data_content) saved.counters["content"] = {*run.data_content};
  saved.numbers["seconds"] = {seconds};
}

std::string identity_in(const Checkpoint& checkpoint, const Config& config,
                        const std::string& computed) {
  const SavedState& run = checkpoint.get(kRun);
  const auto given = run.texts.find("identity");  // of earlier versions none
  const bool is_same = given != run.texts.end() && run.text("config") == dump_config(config);
  return is_same ? given->second : computed;
}

CutLog drop_later_events(RunFolder& folder, const Checkpoint& checkpoint) {
  LaterEvents later(checkpoint);
  folder.drop_events([&](const Event& event) { return std::visit(later, event); });
  return later.log;
}

void check_unfinished(const std::string& folder, const Config& config) {
  const std::optional<RunSummary> end = find_end(folder);
  if (!end) return;
  const std::optional<Config> of_run = find_run_config(folder);
  if (!of_run) return;
  const auto was = flat_settings(*of_run), is = flat_settings(config);
  for (const char* key : {"stop.epochs", "stop.steps", "stop.seconds", "stop.test_error"}) {
    if (value_in(was, key) != value_in(is, key)) return;
  }
  check_same_run(*of_run, "config.toml", config);
  const std::string what =
      end->status == RunStatus::diverged
          ? fmt::format(
                "has diverged; --from-center starts another run from its last checkpoint, "
                "as in --from-center --set algorithm.learning_rate={:.2g} --out ANOTHER",
                of_run->algorithm.learning_rate / 5)
          : "has come to its end" + remedy_at_end(folder, config);
  throw ConfigError(fmt::format("{}: the run {}", folder, what));
}

}  // namespace easgd
