#include "report/reported_run.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/unreadable.h"
#include "config/flat_table.h"
#include "report/devices.h"
#include "report/find_runs.h"
#include "runs/run_folder.h"

namespace easgd::report {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kMostNotes = 5;  // of one file

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

void add(ReportedRun& run, Event event) {
  if (auto* evaluation = std::get_if<EvaluationEvent>(&event)) {
    run.evaluations.push_back(std::move(*evaluation));
  } else if (auto* progress = std::get_if<ProgressEvent>(&event)) {
    run.progress.push_back(std::move(*progress));
  }
}

/// Reads one line; what is wrong with it, or nothing.
std::string read_line(const std::string& line, ReportedRun& run) {
  try {
    const json object = json::parse(line);
    if (auto event = event_of(object)) add(run, std::move(*event));
    return {};
  } catch (const json::exception&) {
    return "is not valid JSON";
  } catch (const DataError& e) {
    return e.what();
  }
}

/// A line without an end is being written, or was torn: it is left out.
void read_metrics(const fs::path& path, ReportedRun& run) {
  if (const std::string why = why_unreadable(path, kLongestLog); !why.empty()) {
    run.notes.push_back("metrics.jsonl: " + why);
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::size_t number = 0, bad = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const bool torn = file.eof();
    if (torn && run.status == "running") break;
    const std::string why = torn ? "has no end" : read_line(line, run);
    if (!why.empty() && ++bad <= kMostNotes) {
      run.notes.push_back(fmt::format("metrics.jsonl:{}: {}; the line is left out", number, why));
    }
  }
  if (bad > kMostNotes) {
    run.notes.push_back(fmt::format("metrics.jsonl: {} more such lines", bad - kMostNotes));
  }
}

/// Versions to come may have further words for a run's status.
void read_summary(const fs::path& path, ReportedRun& run) {
  run.status = "unreadable";
  try {
    const std::string why = why_unreadable(path, kLongestText);
    if (!why.empty()) throw DataError(why);
    std::ifstream file(path, std::ios::binary);
    json object = json::parse(file);
    if (!object.is_object()) throw DataError("is not an object");
    std::string status = object.value("status", "");
    object.erase("status");
    run.summary = summary_of(object);
    run.identity = run.summary->identity;
    run.status = status.empty() ? "unreadable" : std::move(status);
    if (run.status == "unreadable") run.notes.push_back("summary.json: has no status");
  } catch (const json::exception&) {
    run.notes.push_back("summary.json: is not valid JSON");
  } catch (const DataError& e) {
    run.notes.push_back(fmt::format("summary.json: {}", e.what()));
  }
}

void read_settings(const fs::path& path, ReportedRun& run) {
  try {
    run.settings = config::flat_table(path);
    const auto devices = run.settings.find("workers.devices");
    if (devices != run.settings.end()) devices->second = device_words(devices->second);
  } catch (const ConfigError& e) {
    // Its folder stands beside the note already.
    std::string why = e.what();
    const std::string folder = run.folder.string() + "/";
    if (why.starts_with(folder)) why.erase(0, folder.size());
    run.notes.push_back(why);
  }
}

}  // namespace

std::string ReportedRun::setting(const std::string& key) const {
  const auto it = settings.find(key);
  return it == settings.end() ? std::string() : it->second;
}

ReportedRun read_reported_run(const fs::path& folder) {
  ReportedRun run;
  run.folder = folder;
  const fs::path metrics = folder / "metrics.jsonl", summary = folder / "summary.json";
  if (is_there(summary)) {
    read_summary(summary, run);
  } else {
    run.status = is_at_work(folder) ? "running" : "unfinished";
  }
  read_settings(folder / "config.toml", run);
  read_metrics(metrics, run);
  if (run.settings.empty() && run.evaluations.empty() && !run.summary) run.status = "unreadable";
  if (!is_run_folder(folder)) run.notes = {"holds no file of a run"};
  return run;
}

}  // namespace easgd::report
