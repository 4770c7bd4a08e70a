// The events of metrics.jsonl, one object a line. docs/run_folder.md has the meaning of every key.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace easgd {

struct EvaluationEvent {
  double time = 0;  ///< seconds of training, virtual ones if time is
  std::uint64_t version = 0;
  std::vector<std::uint64_t> steps = {};  ///< of each worker
  double epoch = 0;
  double train_loss = 0, test_loss = 0, test_error = 0;
  std::optional<double> test_top5_error = {};  ///< of more than ten classes

  template <class Keys>
  void keys(Keys& k) {
    k("time", time);
    k("version", version);
    k("steps", steps);
    k("epoch", epoch);
    k("train_loss", train_loss);
    k("test_loss", test_loss);
    k("test_error", test_error);
    k.if_given("test_top5_error", test_top5_error);
  }
};

struct WorkerProgress {
  std::uint64_t worker = 0;
  std::uint64_t steps = 0;
  double data_seconds = 0, gradient_seconds = 0, exchange_seconds = 0;
  std::uint64_t exchanges = 0, refused = 0, staleness = 0;
  double distance = 0;
  double train_loss = std::numeric_limits<double>::quiet_NaN();  ///< none was absorbed yet
  double learning_rate = 0;                                      ///< of its last step

  template <class Keys>
  void keys(Keys& k) {
    k("worker", worker);
    k("steps", steps);
    k("data_seconds", data_seconds);
    k("gradient_seconds", gradient_seconds);
    k("exchange_seconds", exchange_seconds);
    k("exchanges", exchanges);
    k("refused", refused);
    k("staleness", staleness);
    k("distance", distance);
    k("train_loss", train_loss);
    k("learning_rate", learning_rate);
  }
};

struct ProgressEvent {
  double seconds = 0;                   ///< training time, never virtual
  bool is_virtual = false;              ///< the run's other times are: its key is then "wall_time"
  std::optional<double> fraction = {};  ///< of the run that is over, 0..1; if its length is known
  double epoch = 0;
  double images_per_second = 0;
  std::vector<WorkerProgress> workers = {};

  template <class Keys>
  void keys(Keys& k) {
    is_virtual = k.has("wall_time", is_virtual);
    k(is_virtual ? "wall_time" : "time", seconds);
    k.if_given("fraction", fraction);
    k("epoch", epoch);
    k("images_per_second", images_per_second);
    k("workers", workers);
  }
};

struct WarningEvent {
  std::string message;
  std::optional<std::uint64_t> worker = {};  ///< if it is about one
  std::optional<double> seconds =
      {};                   ///< training time, never virtual; of earlier versions nothing
  bool is_virtual = false;  ///< the run's other times are: its key is then "wall_time"

  template <class Keys>
  void keys(Keys& k) {
    k("message", message);
    k.if_given("worker", worker);
    is_virtual = k.has("wall_time", is_virtual);
    k.if_given(is_virtual ? "wall_time" : "time", seconds);
  }
};

/// A checkpoint has reached the disk.
struct CheckpointEvent {
  double seconds = 0;       ///< training time at its version, never virtual
  bool is_virtual = false;  ///< the run's other times are: its key is then "wall_time"
  std::uint64_t version = 0;
  std::string file = {};  ///< in the run's folder
  std::uint64_t bytes = 0;
  double write_seconds = 0;

  template <class Keys>
  void keys(Keys& k) {
    is_virtual = k.has("wall_time", is_virtual);
    k(is_virtual ? "wall_time" : "time", seconds);
    k("version", version);
    k("file", file);
    k("bytes", bytes);
    k("write_seconds", write_seconds);
  }
};

/// The run has gone on from a checkpoint.
struct ResumeEvent {
  double seconds = 0;       ///< training time that it has behind it, never virtual
  bool is_virtual = false;  ///< the run's other times are: its key is then "wall_time"
  std::uint64_t version = 0;
  std::string file = {};    ///< in the run's folder
  double lost_seconds = 0;  ///< of training after the checkpoint, as far as events told of it
  std::uint64_t lost_versions = 0;

  template <class Keys>
  void keys(Keys& k) {
    is_virtual = k.has("wall_time", is_virtual);
    k(is_virtual ? "wall_time" : "time", seconds);
    k("version", version);
    k("file", file);
    k("lost_seconds", lost_seconds);
    k("lost_versions", lost_versions);
  }
};

/// A worker has failed.
struct FailureEvent {
  double seconds = 0;       ///< training time, never virtual
  bool is_virtual = false;  ///< the run's other times are: its key is then "wall_time"
  std::uint64_t worker = 0, step = 0, version = 0;
  std::string reason = {};
  std::string then = {};  ///< "gone", "restart", "stop" or "left" (behind, when the run was to end)

  template <class Keys>
  void keys(Keys& k) {
    is_virtual = k.has("wall_time", is_virtual);
    k(is_virtual ? "wall_time" : "time", seconds);
    k("worker", worker);
    k("step", step);
    k("version", version);
    k("reason", reason);
    k("then", then);
  }
};

/// A worker that had failed goes on from the center.
struct RestartEvent {
  double seconds = 0;       ///< training time, never virtual
  bool is_virtual = false;  ///< the run's other times are: its key is then "wall_time"
  std::uint64_t worker = 0, step = 0, version = 0;

  template <class Keys>
  void keys(Keys& k) {
    is_virtual = k.has("wall_time", is_virtual);
    k(is_virtual ? "wall_time" : "time", seconds);
    k("worker", worker);
    k("step", step);
    k("version", version);
  }
};

/// The training loss was lost (guard.action).
struct GuardEvent {
  double seconds = 0;       ///< training time, never virtual
  bool is_virtual = false;  ///< the run's other times are: its key is then "wall_time"
  std::uint64_t version = 0;
  std::string reason = {};
  std::string then = {};                         ///< "stop" or "back"
  std::optional<std::uint64_t> to_version = {};  ///< to which it went back

  template <class Keys>
  void keys(Keys& k) {
    is_virtual = k.has("wall_time", is_virtual);
    k(is_virtual ? "wall_time" : "time", seconds);
    k("version", version);
    k("reason", reason);
    k("then", then);
    k.if_given("to_version", to_version);
  }
};

using Event = std::variant<EvaluationEvent, ProgressEvent, WarningEvent, CheckpointEvent,
                           ResumeEvent, FailureEvent, RestartEvent, GuardEvent>;

nlohmann::json to_json(Event event);

/// Nothing if the event is of a kind that this program does not know.
/// Throws: DataError if it is no event, or a key is not of its kind.
std::optional<Event> event_of(const nlohmann::json& object);

}  // namespace easgd
