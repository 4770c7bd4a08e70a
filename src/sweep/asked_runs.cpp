#include "sweep/asked_runs.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/standard_output.h"
#include "runs/json_keys.h"
#include "sweep/open_plan.h"

namespace easgd {

struct AskedRuns::Line {
  std::optional<std::uint64_t> plan;  ///< number of a trial, whose runs are wanted
  std::uint64_t group = 0;
  std::vector<double> points;  ///< of each axis: which of its list, or the value in its range
  std::string run, stop;       ///< an identity

  template <class Keys>
  void keys(Keys& k) {
    k("plan", plan);
    k("group", group);
    k("points", points);
    k("run", run);
    k("stop", stop);
  }
};

namespace {

using nlohmann::json;

/// Throws: DataError if it is no object with the keys of a line.
AskedRuns::Line line_of(const std::string& text) {
  AskedRuns::Line line;
  try {
    json_keys::read("the line", json::parse(text), line);
  } catch (const json::exception&) {
    throw DataError("expected a JSON object, see docs/search.md");
  }
  return line;
}

void say(const json& object) {
  write_output(object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  finish_output();
}

json described(const Axis& axis) {
  json object = {{"keys", axis.keys}};
  if (axis.range) {
    const Range& range = *axis.range;
    object["range"] = {{"low", range.is_integer ? std::round(range.low) : range.low},
                       {"high", range.is_integer ? std::round(range.high) : range.high},
                       {"log", range.is_log},
                       {"integer", range.is_integer},
                       {"step", range.step}};
    return object;
  }
  for (const auto& point : axis.points) {
    json texts = json::array();
    for (const Setting& setting : point) texts.push_back(setting.text);
    object["points"].push_back(texts);
  }
  return object;
}

/// How far a run goes, as far as that is given.
json described(const StopConfig& stop) {
  json end = json::object();
  if (stop.epochs) end["epochs"] = *stop.epochs;
  if (stop.steps) end["steps"] = *stop.steps;
  return end;
}

json described(const std::vector<Constraint>& constraints) {
  json texts = json::array();
  for (const Constraint& constraint : constraints) texts.push_back(constraint.text());
  return texts;
}

json described(const std::vector<Axes>& groups) {
  json list = json::array();
  for (const Axes& axes : groups) {
    json group = json::array();
    for (const Axis& axis : axes) group.push_back(described(axis));
    list.push_back(group);
  }
  return list;
}

json described(const std::optional<EarlyStop>& early_stop) {
  if (!early_stop) return nullptr;
  return {{"eta", early_stop->eta},
          {"metric", config::name_of(early_stop->metric)},
          {"first", early_stop->first.text()}};
}

}  // namespace

AskedRuns::AskedRuns(const AskedSweep& sweep)
    : sweep_(sweep),
      capacity_(sweep.options.machine, sweep.options.concurrent, sweep.options.runs_per_device) {}

void AskedRuns::begin() {
  sweep_.folder.keep_file(sweep_.file.path);
  record_ = read_sweep(sweep_.folder.path());
  say({{"event", "sweep"},
       {"name", sweep_.file.name},
       {"folder", sweep_.folder.path().string()},
       {"base", base_identity(sweep_.file, sweep_.overrides)},
       {"adapt", sweep_.file.adapt},
       {"seeds", sweep_.file.seeds},
       {"runs", sweep_.file.runs},
       {"require", described(sweep_.file.require)},
       {"early_stop", described(sweep_.file.early_stop)},
       {"groups", described(sweep_.file.groups)}});
}

int AskedRuns::descriptor() const {
  return input_ended_ ? -1 : STDIN_FILENO;
}

bool AskedRuns::wants_end() {
  return interrupted() || (input_ended_ && !open_.empty());
}

/// Whole lines that have come. Does not wait for any.
std::vector<std::string> AskedRuns::new_lines() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (!input_ended_ && poll(&input, 1, 0) > 0) {
    char bytes[4096];
    const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count == -1 && errno == EINTR) continue;
    if (count > 0) rest_.append(bytes, std::size_t(count));
    input_ended_ = count <= 0;
  }
  std::vector<std::string> lines;
  for (std::size_t end = 0; (end = rest_.find('\n')) != rest_.npos; rest_.erase(0, end + 1)) {
    lines.push_back(rest_.substr(0, end));
  }
  return lines;
}

std::vector<const SweepRun*> AskedRuns::asked_runs() {
  std::vector<const SweepRun*> asked;
  for (const std::string& text : new_lines()) {
    try {
      if (const SweepRun* run = take(line_of(text))) asked.push_back(run);
    } catch (const DataError& e) {
      say({{"event", "refused"}, {"line", text}, {"reason", e.what()}});
    }
  }
  return asked;
}

/// The run that is to be made, if the line asks for one.
/// Throws: DataError if it asks for nothing.
const SweepRun* AskedRuns::take(const Line& line) {
  if (line.plan) {
    plan(line);
  } else if (!line.stop.empty()) {
    if (open_.contains(line.stop)) given_up_.insert(line.stop);
  } else if (const auto run = planned_.find(line.run); run != planned_.end()) {
    if (open_.insert(line.run).second) return &run->second;
  } else {
    throw DataError("expected plan, or run or stop with the identity of a run that was planned");
  }
  return nullptr;
}

/// The runs of a trial, or why there are none.
void AskedRuns::plan(const Line& line) {
  json answer = {{"event", "planned"}, {"plan", *line.plan}, {"runs", json::array()}};
  std::vector<SweepRun> runs;
  try {
    runs = plan_combination(sweep_.file, sweep_.overrides, combination_of(line));
  } catch (const ConfigError& e) {
    answer["refused"] = e.what();
  }
  for (SweepRun& run : runs) {
    const std::string identity = run.identity();
    answer["runs"].push_back({{"identity", identity},
                              {"folder", run.planned.folder},
                              {"seed", run.planned.seed},
                              {"values", run.planned.values},
                              {"end", described(run.config.stop)},
                              {"share", capacity_.fraction_of(run.demand)},
                              {"state", config::name_of(record_.state_of(identity).state)}});
    planned_.emplace(identity, std::move(run));
  }
  say(answer);
}

Combination AskedRuns::combination_of(const Line& line) const {
  if (line.group >= sweep_.file.groups.size()) {
    throw ConfigError(fmt::format("group: expected one of {}, from 0; found {}",
                                  sweep_.file.groups.size(), line.group));
  }
  const Axes& axes = sweep_.file.groups[line.group];
  if (line.points.size() != axes.size()) {
    throw ConfigError(fmt::format("points: expected one for each of {} axes; found {}", axes.size(),
                                  line.points.size()));
  }
  Combination combination;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Axis& axis = axes[i];
    const double point = line.points[i];
    const double low = axis.range ? axis.range->low : 0;
    const double high = axis.range ? axis.range->high : double(axis.points.size()) - 1;
    const bool is_there = axis.range || point == std::floor(point);
    if (!is_there || !(low <= point && point <= high)) {
      throw ConfigError(fmt::format("points: {}: expected {}{}..{}; found {}", axis.keys[0],
                                    axis.range ? "" : "a whole number of ", low, high, point));
    }
    const auto settings = axis.range ? axis.with(point) : axis.points[std::size_t(point)];
    combination.insert(combination.end(), settings.begin(), settings.end());
  }
  return combination;
}

void AskedRuns::run_began(const std::string& identity) {
  say({{"event", "run"}, {"identity", identity}, {"state", "running"}});
}

void AskedRuns::run_ended(const StateEvent& state) {
  open_.erase(state.identity);
  given_up_.erase(state.identity);
  record_.states[state.identity] = state;
  say({{"event", "run"},
       {"identity", state.identity},
       {"state", config::name_of(state.state)},
       {"reason", state.reason}});
}

}  // namespace easgd
