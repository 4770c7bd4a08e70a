#include "train/run_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/write_file.h"
#include "train/progress.h"

namespace easgd {
namespace {

constexpr const char* kFiles[] = {"config.toml", "metrics.jsonl", "center.safetensors", "order.bin",
                                  "summary.json"};

/// Makes runs/<name>-<n> with the first n that nobody else has. Where that fails: what failed.
std::filesystem::path make_numbered(const std::string& name, std::error_code& error) {
  std::filesystem::path path = "runs";
  std::filesystem::create_directories(path, error);
  for (int n = 1; !error; ++n) {
    path = fmt::format("runs/{}-{}", name, n);
    if (std::filesystem::create_directory(path, error)) break;
  }
  return path;
}

/// What lies in a folder under the name of a run's file is somebody's.
void check_free(const std::filesystem::path& folder) {
  for (const char* name : kFiles) {
    std::error_code ignored;
    const auto there = std::filesystem::symlink_status(folder / name, ignored);
    if (std::filesystem::exists(there)) {
      throw ConfigError(
          fmt::format("{}: holds an earlier run, or another's {}; give "
                      "another folder with --out",
                      folder.string(), name));
    }
  }
}

/// A folder of runs is not to become one: programs that look for runs in it would see but that one.
void check_holds_no_runs(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    std::error_code ignored;
    if (std::filesystem::exists(entry.path() / "metrics.jsonl", ignored)) {
      throw ConfigError(fmt::format("{}: holds runs; give a folder in it, as in --out {}",
                                    folder.string(), (folder / "another").string()));
    }
  }
}

}  // namespace

RunFolder::RunFolder(const std::string& out, const std::string& name) : path_(out) {
  try {
    make(out, name);
  } catch (...) {
    remove_folders();
    throw;
  }
}

void RunFolder::make(const std::string& out, const std::string& name) {
  std::error_code error;
  if (out.empty()) {
    path_ = make_numbered(name, error);
    made_ = {path_};
  } else {
    check_free(path_);
    check_holds_no_runs(path_);
    for (auto p = std::filesystem::absolute(path_); !std::filesystem::exists(p, error);
         p = p.parent_path()) {
      made_.push_back(p);
    }
    std::filesystem::create_directories(path_, error);
  }
  if (error) {
    throw DataError(fmt::format("{}: cannot make the run folder: {}; give another with --out",
                                path_.string(), error.message()));
  }
  // The first file is made by one run only, should two have found the folder free.
  std::FILE* mine = std::fopen(file("metrics.jsonl").c_str(), "wx");
  const int why = errno;
  if (!mine && why == EEXIST) check_free(path_);
  if (!mine) {
    throw DataError(fmt::format("{}: cannot write into the run folder: {}", path_.string(),
                                std::strerror(why)));
  }
  std::fclose(mine);
  metrics_.open(file("metrics.jsonl"));
  if (!metrics_.is_open()) {
    throw DataError(file("metrics.jsonl").string() + ": cannot be opened again");
  }
}

void RunFolder::write(const std::string& name, const std::string& text) const {
  write_file(file(name), [&text](std::ostream& stream) { stream << text; });
}

RunFolder::~RunFolder() {
  if (kept_) return;
  std::error_code ignored;
  for (const char* name : kFiles) std::filesystem::remove(file(name), ignored);
  remove_folders();
}

/// Those that are empty.
void RunFolder::remove_folders() const {
  std::error_code ignored;
  for (const auto& folder : made_) std::filesystem::remove(folder, ignored);
}

void RunFolder::log(const nlohmann::json& event) {
  const std::lock_guard lock(mutex_);
  // Paths and what a system says of them may be no UTF-8.
  metrics_ << event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n'
           << std::flush;
  if (!metrics_ && !warned_) {
    Progress::line(fmt::format("warning: {}: cannot be written: {}; the run goes on",
                               file("metrics.jsonl").string(), std::strerror(errno)));
    warned_ = true;
  }
  metrics_.clear();
}

}  // namespace easgd
