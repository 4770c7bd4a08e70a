#include "sweep/sweep_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "base/error.h"
#include "base/unreadable.h"
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
  if (!why_unreadable(path, kLongestText).empty()) return "";
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// Earlier versions wrote no identity: theirs may be any run's.
bool is_of(const RunSummary& summary, const std::string& identity) {
  return summary.identity.empty() || summary.identity == identity;
}

/// Whether a text out of a file may name a folder.
bool is_identity(const std::string& text) {
  return text.size() == 12 && text.find_first_not_of("0123456789abcdef") == text.npos;
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
  const std::string text = text_of(sweep_file);
  if (text_of(path_ / "sweep.toml") == text) return;
  write_file(path_ / "sweep.toml", [&text](std::ostream& out) { out << text; });
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

std::optional<RunSummary> SweepFolder::summary_of(const std::string& identity) const {
  std::optional<RunSummary> summary = find_summary(run(identity));
  return summary && is_of(*summary, identity) ? summary : std::nullopt;
}

std::optional<std::string> SweepFolder::another_in_place_of(const std::string& identity) const {
  const std::optional<RunSummary> summary = find_summary(run(identity));
  const bool is_another = summary && !is_of(*summary, identity);
  return is_another ? std::optional(summary->identity) : std::nullopt;
}

fs::path SweepFolder::free_place_for(const std::string& other, const std::string& identity) const {
  std::error_code ignored;
  const auto is_free = [&](const fs::path& place) {
    return !fs::exists(fs::symlink_status(place, ignored));
  };
  if (is_identity(other) && is_free(run(other))) return run(other);
  const std::string beside = run(identity).string() + ".other";
  if (is_free(beside)) return beside;
  int number = 2;
  while (!is_free(beside + std::to_string(number))) ++number;
  return beside + std::to_string(number);
}

std::string SweepFolder::make_way(const std::string& identity) const {
  const std::optional<std::string> other = another_in_place_of(identity);
  if (!other) return "";
  const fs::path place = free_place_for(*other, identity);
  std::error_code error;
  fs::rename(run(identity), place, error);
  if (error) {
    throw DataError(fmt::format("{}: holds another run, {}, and cannot be renamed: {}",
                                run(identity).string(), *other, error.message()));
  }
  return fmt::format("{} held another run, {}: that one is kept in {}, and this one is made again",
                     run(identity).string(), *other, place.string());
}

std::optional<RunSummary> SweepFolder::finished(const std::string& identity) const {
  const std::optional<RunSummary> summary = summary_of(identity);
  if (!summary || summary->steps.empty()) return std::nullopt;  // no run has written that
  const bool is_over = summary->status == RunStatus::done || summary->status == RunStatus::diverged;
  return is_over ? summary : std::nullopt;
}

std::optional<RunSummary> SweepFolder::paused(const std::string& identity,
                                              const PausePoint& where) const {
  const std::optional<RunSummary> summary = summary_of(identity);
  const bool is_there = summary && summary->paused_at == where.text();
  return is_there ? summary : std::nullopt;
}

RunState SweepFolder::state_of(const std::string& identity, RunState said) const {
  if (finished(identity)) return RunState::done;
  if (is_at_work(identity)) return RunState::running;
  if (said == RunState::failed || said == RunState::stopped_early) return said;
  if (said == RunState::running && is_at_work()) return said;  // it is about to begin
  if (!has_begun(identity)) return RunState::waiting;
  return said == RunState::paused ? said : RunState::interrupted;
}

bool SweepFolder::has_begun(const std::string& identity) const {
  return is_run_folder(run(identity)) && !another_in_place_of(identity);
}

bool SweepFolder::is_at_work(const std::string& identity) const {
  return easgd::is_at_work(run(identity));
}

bool SweepFolder::is_at_work() const {
  return is_sweep_at_work(path_);
}

bool SweepFolder::can_go_on(const std::string& identity) const {
  return !CheckpointFolder(run(identity)).is_empty();
}

void SweepFolder::clear_checkpoints(const std::string& identity) const {
  if (!another_in_place_of(identity)) CheckpointFolder(run(identity)).clear();
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
  if (!why_unreadable(log(identity), kLongestLog).empty()) return "";
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
