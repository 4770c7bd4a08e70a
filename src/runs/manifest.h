// manifest.jsonl: which runs a sweep has, and how far each is. docs/sweep_folder.md has every key.
//
// Lines are only ever appended. The last plan is the present one; of each run the last state holds.
// A run without one waits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/appended_file.h"
#include "config/choice.h"

namespace easgd {

/// A run of a sweep. `values` are as people write them: easgd, 4, 0.01, ["cpu", "cpu"].
struct PlannedRun {
  std::string identity;  ///< names the configuration; see settings/identity.h
  std::string folder;    ///< relative to the sweep's
  std::int64_t seed = 0;
  std::map<std::string, std::string> values = {};  ///< of the axes, by their dotted keys
  std::vector<std::string> adapted = {};  ///< what its method was given besides, "algorithm.tau=1"

  template <class Keys>
  void keys(Keys& k) {
    k("identity", identity);
    k("folder", folder);
    k("seed", seed);
    k("values", values);
    k("adapted", adapted);
  }
  bool operator==(const PlannedRun&) const = default;
};

struct PlanEvent {
  std::string time = {};  ///< UTC, "2026-11-28T20:40:00Z"
  std::string name;
  std::string program;                  ///< its version
  std::string base;                     ///< names the configuration that is varied
  std::vector<std::string> axes;        ///< dotted keys, in the order of the sweep file
  std::vector<std::string> rungs = {};  ///< where runs pause and are compared: "epochs=1"
  std::uint64_t eta = 0;    ///< one of so many goes on at each rung; 0: nobody stops early
  std::string metric = {};  ///< by which they are compared; empty: as eta 0
  std::uint64_t total = 0;
  std::vector<PlannedRun> runs;

  /// The same keys of the same configuration, under the same name.
  bool varies_same(const PlanEvent& other) const {
    return name == other.name && base == other.base && axes == other.axes;
  }

  /// Runs are stopped early by the same rule, at whatever rungs.
  bool compares_same(const PlanEvent& other) const {
    return eta == other.eta && metric == other.metric;
  }

  template <class Keys>
  void keys(Keys& k) {
    k("time", time);
    k("name", name);
    k("program", program);
    k("base", base);
    k("axes", axes);
    k("rungs", rungs);
    k("eta", eta);
    k("metric", metric);
    k("total", total);
    k("runs", runs);
  }
};

/// A run that was added to the plan that stands above, as a search does.
struct AddedEvent {
  std::string time = {};
  PlannedRun run;

  template <class Keys>
  void keys(Keys& k) {
    k("time", time);
    k("run", run);
  }
};

enum class RunState { waiting, running, paused, done, failed, interrupted, stopped_early };

template <>
struct config::Names<RunState> {
  static constexpr Name<RunState> all[] = {{"waiting", RunState::waiting},
                                           {"running", RunState::running},
                                           {"paused", RunState::paused},
                                           {"done", RunState::done},
                                           {"failed", RunState::failed},
                                           {"interrupted", RunState::interrupted},
                                           {"stopped_early", RunState::stopped_early}};
};

/// What a run had come to where it has paused.
struct RungResult {
  double test_error = 0, test_loss = 0, train_loss = 0;

  template <class Keys>
  void keys(Keys& k) {
    k("test_error", test_error);
    k("test_loss", test_loss);
    k("train_loss", train_loss);
  }
};

struct StateEvent {
  std::string time = {};
  std::string identity = {};
  RunState state = RunState::waiting;
  std::uint64_t attempt = 0;                   ///< the first is 1
  std::optional<std::int64_t> exit_code = {};  ///< of its process; 128 + a signal that ended it
  std::string reason = {};                     ///< why it failed, in its own last words
  std::string until = {};                      ///< where it is to pause, "epochs=3", or "end";
                                               ///< empty: nobody stops early
  std::optional<RungResult> result = {};       ///< of one that has paused there

  template <class Keys>
  void keys(Keys& k) {
    k("time", time);
    k("identity", identity);
    k("state", state);
    k("attempt", attempt);
    k("exit_code", exit_code);
    k("reason", reason);
    k("until", until);
    k.if_given("result", result);
  }
};

/// What the lines come to.
struct SweepRecord {
  std::filesystem::path folder;
  std::optional<PlanEvent> plan;             ///< the present one, with the runs that were added
  std::size_t added = 0;                     ///< so many of its runs, the last ones
  std::map<std::string, StateEvent> states;  ///< the last of each run, by its identity
  /// Of each run, by its identity: what it had come to wherever it has paused.
  std::map<std::string, std::map<std::string, RungResult>> rungs = {};
  std::vector<std::string> notes = {};  ///< lines that are left out, each with its place

  /// Of a run of the plan; one that waits has no line.
  StateEvent state_of(const std::string& identity) const;
  /// Takes a plan in; runs that were added to one of the same name and axes stay.
  void replace_plan(PlanEvent next);
  /// Takes the state of a run in.
  void note(const StateEvent& state);
  /// Takes a run in, beside those of the plan. False if the plan has it.
  bool add(const PlannedRun& run);
};

/// Something lies there that a sweep has written.
bool is_sweep(const std::filesystem::path& folder);
/// A process goes on with it.
bool is_sweep_at_work(const std::filesystem::path& folder);

/// A last line that has no end is left out: it is being written, or was torn. So are lines of kinds
/// that this program does not know, and, with a note, damaged ones: what they have said of a run,
/// its folder may say.
/// Throws: DataError if the file cannot be read.
SweepRecord read_sweep(const std::filesystem::path& folder);

/// The manifest of a sweep that is going on. No other process goes on with it meanwhile.
/// Thread: one.
class Manifest {
 public:
  /// Makes the folder's manifest, or goes on with it: a torn last line is dropped. One that may not
  /// be written is good as long as nothing is to be added to it.
  /// Throws: DataError if it cannot be made; ConfigError if a sweep is at work in the folder.
  explicit Manifest(const std::filesystem::path& folder);

  /// Throws: DataError if lines cannot be appended.
  void check_writable() const { check(complaint_); }

  /// Appends a line; it has reached the disk on return. `time` is set here.
  /// Throws: DataError.
  void write(PlanEvent plan);
  void write(AddedEvent added);
  void write(StateEvent state);

 private:
  void append(const std::string& line);
  /// Throws: DataError if there is one.
  static void check(const std::string& complaint);

  AppendedFile file_;
  std::string complaint_;  // why nothing can be appended
};

}  // namespace easgd
