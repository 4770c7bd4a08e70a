#include "sweep/sweep_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "base/appended_file.h"
#include "base/error.h"
#include "base/write_file.h"
#include "runs/checkpoint_folder.h"
#include "runs/manifest.h"
#include "runs/run_folder.h"
#include "runs/run_record.h"
#include "settings/dump.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return;
  throw DataError(fmt::format("{}: cannot make the sweep's folder: {}; give another with --out",
                              path.string(), error.message()));
}

/// A sweep that was killed before it had a manifest: there is nothing but what it makes.
bool was_begun_in(const fs::path& path) {
  bool has_configs = false;
  std::error_code ignored;  // whoever cannot look into it cannot use it
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    const std::string name = entry.path().filename().string();
    constexpr const char* kOurs[] = {"configs", "runs", "logs", "sweep.toml"};
    if (std::ranges::find(kOurs, name) == std::end(kOurs)) return false;
    has_configs = has_configs || name == "configs";
  }
  return has_configs;
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

void SweepFolder::make() const {
  std::error_code ignored;
  const bool used = fs::exists(path_, ignored) && !fs::is_empty(path_, ignored);
  if (used && !is_sweep(path_) && !was_begun_in(path_)) {
    throw ConfigError(path_.string() +
                      ": holds something else than a sweep; give another folder with --out");
  }
  for (const char* inner : {"", "configs", "runs", "logs"}) make_folder(path_ / inner);
}

void SweepFolder::keep_file(const std::string& sweep_file) const {
  write_file(path_ / "sweep.toml", [&](std::ostream& out) { out << text_of(sweep_file); });
}

fs::path SweepFolder::config(const std::string& identity) const {
  return path_ / "configs" / (identity + ".toml");
}

fs::path SweepFolder::run(const std::string& identity) const {
  return path_ / "runs" / identity;
}

fs::path SweepFolder::log(const std::string& identity) const {
  return path_ / "logs" / (identity + ".txt");
}

void SweepFolder::write_config(const std::string& identity, const Config& config) const {
  const std::string text = dump_config(config);
  if (text_of(this->config(identity)) == text) return;
  write_file(this->config(identity), [&text](std::ostream& out) { out << text; });
}

std::optional<RunSummary> SweepFolder::finished(const std::string& identity) const {
  const std::optional<RunSummary> summary = find_summary(run(identity));
  if (!summary || summary->steps.empty()) return std::nullopt;  // no run has written that
  const bool is_over = summary->status == RunStatus::done || summary->status == RunStatus::diverged;
  return is_over ? summary : std::nullopt;
}

std::optional<RunSummary> SweepFolder::paused(const std::string& identity,
                                              const PausePoint& where) const {
  const std::optional<RunSummary> summary = find_summary(run(identity));
  const bool is_there = summary && summary->paused_at == where.text();
  return is_there ? summary : std::nullopt;
}

bool SweepFolder::is_at_work(const std::string& identity) const {
  return easgd::is_at_work(run(identity));
}

bool SweepFolder::is_at_work() const {
  return is_locked(path_ / "manifest.jsonl");
}

bool SweepFolder::can_go_on(const std::string& identity) const {
  return !CheckpointFolder(run(identity)).is_empty();
}

void SweepFolder::clear_checkpoints(const std::string& identity) const {
  CheckpointFolder(run(identity)).clear();
}

void SweepFolder::clear_run(const std::string& identity) const {
  std::error_code error;
  fs::remove_all(run(identity), error);
  if (error) {
    throw DataError(
        fmt::format("{}: cannot be taken away: {}", run(identity).string(), error.message()));
  }
}

void SweepFolder::clear_log(const std::string& identity) const {
  std::error_code ignored;  // whoever opens it says what is wrong
  fs::remove(log(identity), ignored);
}

std::uintmax_t SweepFolder::log_size(const std::string& identity) const {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(log(identity), error);
  return error ? 0 : size;
}

std::string SweepFolder::last_words(const std::string& identity, std::uintmax_t said_before) const {
  std::ifstream lines(log(identity), std::ios::binary);
  lines.seekg(std::streamoff(said_before));
  std::string last, complaint;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("easgd: ")) complaint = line.substr(7);
    if (!line.empty()) last = line;
  }
  return complaint.empty() ? last : complaint;
}

}  // namespace easgd
