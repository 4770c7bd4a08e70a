#include "train/run_keeping.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <utility>

#include "base/error.h"
#include "base/running_clock.h"
#include "runs/checkpoint_folder.h"
#include "train/resumed_run.h"

namespace easgd {
namespace {

Every every_or(Every every, double seconds) {
  if (!every.seconds && !every.epochs && !every.versions) every.seconds = seconds;
  return every;
}

}  // namespace

RunKeeping::RunKeeping(const Kept& kept)
    : kept_(kept),
      clock_(every_or(kept.run.config.checkpoint.every, EvaluationClock::kCheckpointSeconds),
             std::size_t(kept.run.config.workers.batch), kept.run.data->train_size),
      faults_(parse_faults(kept.run.config.debug.fail)) {}

bool RunKeeping::is_due(const CenterView& center, double seconds) {
  if (!clock_.due(center, seconds)) return false;
  clock_.begun(center, seconds);
  return true;
}

void RunKeeping::add(Checkpoint& checkpoint, double seconds) const {
  StateSaver clock;
  kept_.clock.describe(clock);
  checkpoint.sections["clock"] = std::move(clock.saved);
  kept_.step_back.add(checkpoint);
  add_run(checkpoint, kept_.run, seconds);
}

void RunKeeping::save(Checkpoint checkpoint) {
  kept_.pending.save(checkpoint);
  checkpoint.sections["evaluations"] = kept_.evaluations.saved_up_to(checkpoint.version);
  const auto begin = RunningClock::now();
  // Its evaluations are events by now.
  if (const std::string why = kept_.folder.sync(); !why.empty()) throw DataError(why);
  const std::uint64_t bytes = write(checkpoint);
  const std::chrono::duration<double> writing = RunningClock::now() - begin;
  last_ = checkpoint.version;
  kept_.journal.report(StoredCheckpoint{.version = checkpoint.version,
                                        .seconds = seconds_of(checkpoint),
                                        .bytes = bytes,
                                        .write_seconds = writing.count()});
}

void RunKeeping::keep(Checkpoint checkpoint) {
  try {
    save(std::move(checkpoint));
    failures_.end();
  } catch (const std::exception& e) {
    if (!failures_.add()) return;
    kept_.journal.warn(
        fmt::format("{}; the run goes on{}", e.what(),
                    last_ ? fmt::format(", its last checkpoint is of version {}", *last_)
                          : " without a checkpoint"));
  }
}

std::uint64_t RunKeeping::write(const Checkpoint& checkpoint) const {
  check_can_write(checkpoint.version);
  const auto keep = std::size_t(kept_.run.config.checkpoint.keep);
  return CheckpointFolder(kept_.folder.path()).save(checkpoint, keep);
}

void RunKeeping::check_can_write(std::uint64_t version) const {
  const Fault* fault = bar_to_writing(faults_, version);
  if (!fault) return;
  const bool is_full = fault->kind == Fault::Kind::disk_is_full;
  throw DataError(fmt::format("{}: {} (debug.fail: {})", kept_.folder.path().string(),
                              is_full ? "No space left on device" : "Read-only file system",
                              fault->sentence));
}

}  // namespace easgd
