#include "runs/manifest.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "base/unreadable.h"
#include "runs/json_keys.h"
#include "runs/pause_point.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kName = "manifest.jsonl";
constexpr const char* kKind = "event";
constexpr const char* kPlan = "plan";
constexpr const char* kAdded = "added";
constexpr const char* kRun = "run";

std::string time_text() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

template <class Kind>
std::string line_of(Kind event, const char* kind) {
  event.time = time_text();
  json object = json_keys::write(event);
  object[kKind] = kind;
  // What a system says of a path may be no UTF-8.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// A manifest is data: it names no place outside its sweep.
void check_inside(const PlannedRun& run) {
  const fs::path folder = run.folder;
  if (folder.empty() || folder.is_absolute() || std::ranges::count(folder, fs::path("..")) > 0) {
    throw DataError(fmt::format("folder: expected a path inside the sweep's folder; found {}",
                                json_keys::shown(run.folder)));
  }
}

void take(const json& object, SweepRecord& record) {
  if (!object.is_object()) json_keys::refuse(kKind, "an object with this key", object);
  const std::string kind = object.value(kKind, "");
  if (kind == kPlan) {
    PlanEvent plan;
    json_keys::read(kKind, object, plan);
    std::ranges::for_each(plan.runs, check_inside);
    record.replace_plan(std::move(plan));
  }
  if (kind == kAdded) {
    AddedEvent added;
    json_keys::read(kKind, object, added);
    check_inside(added.run);
    record.add(added.run);
  }
  if (kind == kRun) {
    StateEvent state;
    json_keys::read(kKind, object, state);
    if (state.result && !state.until.empty()) pause_point_of(state.until);
    record.note(state);
  }
}

/// What is wrong with it, or nothing.
std::string take_line(const std::string& line, SweepRecord& record) {
  try {
    take(json::parse(line), record);
    return {};
  } catch (const json::exception&) {
    return "is not valid JSON";
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

StateEvent SweepRecord::state_of(const std::string& identity) const {
  const auto found = states.find(identity);
  return found == states.end() ? StateEvent{.time = {}, .identity = identity} : found->second;
}

void SweepRecord::replace_plan(PlanEvent next) {
  const auto before = std::exchange(plan, std::move(next));
  const std::size_t kept = std::exchange(added, 0);
  if (!before || !before->varies_same(*plan)) return;
  for (std::size_t i = before->runs.size() - kept; i < before->runs.size(); ++i) {
    add(before->runs[i]);
  }
}

void SweepRecord::note(const StateEvent& state) {
  states[state.identity] = state;
  if (!state.until.empty() && state.result) rungs[state.identity][state.until] = *state.result;
}

bool SweepRecord::add(const PlannedRun& run) {
  const auto is_it = [&run](const PlannedRun& other) { return other.identity == run.identity; };
  if (!plan || std::ranges::any_of(plan->runs, is_it)) return false;
  plan->runs.push_back(run);
  plan->total = plan->runs.size();
  ++added;
  return true;
}

bool is_sweep(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / kName, ignored);
}

bool is_sweep_at_work(const fs::path& folder) {
  return SharedLock(folder / kName).is_refused();
}

SweepRecord read_sweep(const fs::path& folder) {
  const fs::path path = folder / kName;
  if (const std::string why = why_unreadable(path, kLongestLog); !why.empty()) {
    throw DataError(fmt::format("{}: {}; expected the folder of a sweep", path.string(), why));
  }
  SweepRecord record{folder, {}, 0, {}};
  std::ifstream lines(path);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    ++number;
    const std::string why = take_line(line, record);
    if (why.empty()) continue;
    record.notes.push_back(
        fmt::format("{}:{}: {}; the line is left out", path.string(), number, why));
  }
  return record;
}

Manifest::Manifest(const fs::path& folder) : file_(folder / kName, O_RDWR | O_CREAT) {
  if (!file_.is_open()) {
    complaint_ =
        fmt::format("{}: cannot be written: {}", (folder / kName).string(), std::strerror(errno));
    if (!is_sweep(folder)) check_writable();
    return;
  }
  if (!file_.lock()) throw ConfigError(folder.string() + ": a sweep is at work in it");
  check(file_.drop_torn_line());
}

void Manifest::write(PlanEvent plan) {
  append(line_of(std::move(plan), kPlan));
}

void Manifest::write(AddedEvent added) {
  append(line_of(std::move(added), kAdded));
}

void Manifest::write(StateEvent state) {
  append(line_of(std::move(state), kRun));
}

void Manifest::append(const std::string& line) {
  check_writable();
  check(file_.append(line + "\n"));
  check(file_.sync());
}

void Manifest::check(const std::string& complaint) {
  if (!complaint.empty()) throw DataError(complaint);
}

}  // namespace easgd
