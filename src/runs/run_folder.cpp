#include "runs/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/write_file.h"
#include "runs/checkpoint_folder.h"

namespace easgd {
namespace {

constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kFiles[] = {"config.toml",      kMetrics,    "center.safetensors",
                                  "best.safetensors", "order.bin", "summary.json"};
constexpr const char* kEventFiles = "events.out.tfevents.";  // TensorBoard's; a number follows

[[noreturn]] void fail_at_work(const std::filesystem::path& folder) {
  throw ConfigError(folder.string() + ": a run is at work in it");
}

/// Says what errno does.
[[noreturn]] void fail_to_open(const std::filesystem::path& file) {
  const int why = errno;
  throw DataError(fmt::format("{}: cannot be written: {}", file.string(), std::strerror(why)));
}

[[noreturn]] void fail_taken(const std::filesystem::path& folder, const std::string& name) {
  throw ConfigError(
      fmt::format("{}: holds an earlier run, or another's {}; give another folder with --out",
                  folder.string(), name));
}

/// One that --from-center has put there (src/train/from_center.h).
bool is_center_for_others(const std::string& name) {
  return name.starts_with("center-") && name.ends_with(".safetensors");
}

/// Throws: ConfigError if something in the folder has the name of a run's file: it is somebody's.
void check_free(const std::filesystem::path& folder) {
  std::error_code error, ignored;
  for (const char* name : kFiles) {
    const auto there = std::filesystem::symlink_status(folder / name, ignored);
    if (std::filesystem::exists(there)) fail_taken(folder, name);
  }
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(kEventFiles)) fail_taken(folder, name);
  }
}

/// A folder of runs is not to become one: programs that look for runs in it would see but that one.
void check_holds_no_runs(const std::filesystem::path& folder) {
  std::error_code error, ignored;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (std::filesystem::exists(entry->path() / kMetrics, ignored)) {
      throw ConfigError(fmt::format("{}: holds runs; give a folder in it, as in --out {}",
                                    folder.string(), (folder / "another").string()));
    }
  }
}

}  // namespace

RunFolder RunFolder::create(const std::string& out, const std::string& name) {
  return {out, name};
}

RunFolder RunFolder::reopen(const std::filesystem::path& folder) {
  return {folder, Earlier()};
}

RunFolder::RunFolder(const std::string& out, const std::string& name)
    : RunFolder(std::filesystem::path(out)) {
  make(out, name);
}

RunFolder::RunFolder(const std::filesystem::path& folder, Earlier) : RunFolder(folder) {
  open_again();
  keep();
}

/// Makes the folder and those above it, as far as they are not there.
void RunFolder::make_folders(const std::filesystem::path& path) {
  std::error_code ignored;
  if (path.empty() || std::filesystem::is_directory(path, ignored)) return;
  if (path.parent_path() != path) make_folders(path.parent_path());
  if (make_folder(path)) return;
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) fail(error ? error.value() : ENOTDIR);
}

/// False if something of that name is there.
bool RunFolder::make_folder(const std::filesystem::path& path) {
  if (mkdir(path.c_str(), 0777) == 0) {
    made_.push_back(path);
    return true;
  }
  if (errno != EEXIST) fail(errno);
  return false;
}

void RunFolder::fail(int why) const {
  throw DataError(fmt::format("{}: cannot make the run folder: {}; give another with --out",
                              path_.string(), std::strerror(why)));
}

void RunFolder::make(const std::string& out, const std::string& name) {
  if (out.empty()) {
    path_ = "runs";
    make_folders(path_);
    int n = 0;
    do path_ = fmt::format("runs/{}-{}", name, ++n);
    while (!make_folder(path_));
  } else {
    check_free(path_);
    check_holds_no_runs(path_);
    make_folders(path_);
  }
  // The first file is made by one run only, should two have found the folder free.
  const std::filesystem::path metrics = file(kMetrics);
  metrics_ = AppendedFile(metrics, O_WRONLY | O_CREAT | O_EXCL);
  const int why = errno;
  if (metrics_.is_open()) {
    written_.insert(metrics);
    for (const auto& folder : made_) {
      const std::string complaint = make_names_durable(folder.parent_path());
      if (!complaint.empty()) throw DataError(complaint);
    }
    return lock();
  }
  if (why == EEXIST) check_free(path_);
  throw DataError(
      fmt::format("{}: cannot write into the run folder: {}", path_.string(), std::strerror(why)));
}

void RunFolder::open_again() {
  const std::filesystem::path metrics = file(kMetrics);
  metrics_ = AppendedFile(metrics, O_RDWR);
  if (!metrics_.is_open()) {
    if (errno != ENOENT && errno != ENOTDIR) fail_to_open(metrics);
    throw DataError(fmt::format(
        "{}: is not the folder of a run: it has no {}; if that was lost, an empty one will do",
        path_.string(), kMetrics));
  }
  lock();
  if (const std::string complaint = metrics_.drop_torn_line(); !complaint.empty()) {
    throw DataError(complaint);
  }
  for (const char* name : kFiles) written_.insert(file(name));
  remove_unfinished(path_, [](const std::string& name) {
    return std::ranges::find(kFiles, name) != std::end(kFiles) || is_center_for_others(name);
  });
}

void RunFolder::lock() {
  if (!metrics_.lock()) fail_at_work(path_);
}

void RunFolder::write(const std::string& name, const std::function<void(std::ostream&)>& fill) {
  const std::filesystem::path path = file(name);
  const auto is_own = [&] {
    const std::lock_guard lock(mutex_);
    return written_.contains(path);
  };
  const CheckpointFolder checkpoints(path_);
  if (is_own()) return checkpoints.make_room_for([&] { write_file(path, fill); });
  checkpoints.make_room_for([&] { write_new_file(path, fill); });
  const std::lock_guard lock(mutex_);
  written_.insert(path);
}

void RunFolder::take_away(const std::string& name) {
  if (unlink(file(name).c_str()) != 0) return;
  const std::string complaint = make_names_durable(path_);
  if (!complaint.empty()) on_warning(complaint + "; the run goes on");
}

/// Programs take several files in the order of their names. A run that goes on begins another.
AppendedFile RunFolder::begin_event_file() {
  using Seconds = std::chrono::seconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  auto number = std::chrono::duration_cast<Seconds>(now).count();
  const std::lock_guard lock(mutex_);
  while (true) {
    const std::filesystem::path path = file(kEventFiles + std::to_string(number));
    AppendedFile events(path, O_WRONLY | O_CREAT | O_EXCL);
    const int why = errno;
    if (events.is_open()) {
      written_.insert(path);
      return events;
    }
    ++number;
    if (why == EEXIST) continue;
    on_warning(
        fmt::format("{}: cannot be made: {}; the run goes on", path.string(), std::strerror(why)));
    return events;
  }
}

void RunFolder::write(const std::string& name, const std::string& text) {
  write(name, [&text](std::ostream& stream) { stream << text; });
}

RunFolder::~RunFolder() {
  if (!kept_) take_back();
}

/// Removes the files that this object wrote, and the folders that it made, if they are empty.
void RunFolder::take_back() const {
  for (const auto& path : written_) unlink(path.c_str());
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) rmdir(folder->c_str());
}

namespace {

/// What a power failure may leave of lines that had not reached the disk.
bool is_hole(const std::string& line) {
  return line.find('\0') != line.npos;
}

/// Nothing if it is none that this program knows.
std::optional<Event> event_in(const std::string& line) {
  try {
    return event_of(nlohmann::json::parse(line));
  } catch (const std::exception&) {  // whoever reads the folder says what is wrong
    return std::nullopt;
  }
}

}  // namespace

void RunFolder::drop_events(const std::function<bool(const Event&)>& is_dropped) {
  const std::lock_guard guard(mutex_);
  const std::string all = read_metrics();
  std::istringstream lines(all);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const std::optional<Event> event = event_in(line);
    const bool stays = !is_hole(line) && (!event || !is_dropped(*event));
    if (stays) kept += line + "\n";
  }
  if (kept != all) replace_metrics(kept);
}

std::string RunFolder::read_metrics() const {
  const std::filesystem::path metrics = file(kMetrics);
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(metrics, error);
  std::string text(error ? 0 : size, '\0');
  std::ifstream file(metrics, std::ios::binary);
  if (error || !file.read(text.data(), std::streamsize(size))) {
    throw DataError(metrics.string() + ": cannot be read");
  }
  return text;
}

void RunFolder::replace_metrics(const std::string& text) {
  const std::filesystem::path metrics = file(kMetrics);
  write_file(metrics, [&text](std::ostream& stream) { stream << text; });
  AppendedFile file(metrics, O_RDWR);
  if (!file.is_open()) fail_to_open(metrics);
  std::swap(metrics_, file);
  replaced_ = std::move(file);
  lock();
  is_unsure_ = false;
}

void RunFolder::log(const Event& event) {
  // Paths and what a system says of them may be no UTF-8.
  const std::string line =
      to_json(event).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const std::lock_guard lock(mutex_);
  const std::string complaint = metrics_.append(line);
  if (complaint.empty()) return failures_.end();
  if (failures_.add()) on_warning(complaint + "; the run goes on");
}

std::string RunFolder::sync() {
  const std::lock_guard lock(mutex_);
  if (!is_unsure_) {
    const std::string complaint = metrics_.sync();
    is_unsure_ = !complaint.empty();
    return complaint;
  }
  try {  // a system tells of what it has not written once
    replace_metrics(read_metrics());
    return "";
  } catch (const DataError& e) {
    return e.what();
  }
}

bool is_run_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::ranges::any_of(
      std::initializer_list<const char*>{kMetrics, "config.toml", "summary.json"},
      [&](const char* name) { return std::filesystem::exists(folder / name, ignored); });
}

bool is_at_work(const std::filesystem::path& folder) {
  return SharedLock(folder / kMetrics).is_refused();
}

StillRun::StillRun(const std::filesystem::path& folder) : lock_(folder / kMetrics) {
  if (lock_.is_refused()) fail_at_work(folder);
}

}  // namespace easgd
