#include "runs/checkpoint_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/write_file.h"
#include "runs/checkpoint_file.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

const fs::path kFolder = "checkpoints";
constexpr std::string_view kPrefix = "version-";

fs::path name_of(std::uint64_t version) {
  return fmt::format("{}{}", kPrefix, version);
}

/// Nothing if the name is no checkpoint's.
std::optional<std::uint64_t> version_in(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::uint64_t version = 0;
  const char* const end = name.data() + name.size();
  const auto error = std::from_chars(name.data() + kPrefix.size(), end, version).ec;
  if (error != std::errc() || name_of(version) != name) return std::nullopt;
  return version;
}

/// The latest first.
/// Throws: DataError if there may be some that cannot be seen.
std::vector<std::uint64_t> versions_in(const fs::path& folder) {
  std::vector<std::uint64_t> versions;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (const auto version = version_in(entry->path().filename().string())) {
      versions.push_back(*version);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory &&
      error != std::errc::not_a_directory) {
    throw DataError(fmt::format("{}: cannot be listed: {}", folder.string(), error.message()));
  }
  std::ranges::sort(versions, std::greater());
  return versions;
}

void make(const fs::path& folder) {
  if (mkdir(folder.c_str(), 0777) != 0) {
    if (errno == EEXIST) return;
    throw DataError(fmt::format("{}: cannot be made: {}", folder.string(), std::strerror(errno)));
  }
  // Before a checkpoint in it is counted on.
  const std::string complaint = make_names_durable(folder.parent_path());
  if (complaint.empty()) return;
  rmdir(folder.c_str());  // so that the next one tries again
  throw DataError(complaint);
}

/// Whoever looks for checkpoints passes it over from now on. Returns what to say of that.
std::string put_aside(const fs::path& path) {
  fs::path aside = path;
  aside += ".broken";
  std::error_code error;
  fs::rename(path, aside, error);
  if (error) return "";
  return fmt::format("; it is {} now, and by its old name is tried again",
                     aside.filename().string());
}

using Warn = std::function<void(const std::string&)>;
/// Does something with the file of one. Returns what to say of that.
using AtBroken = std::function<std::string(const fs::path&)>;

std::optional<Checkpoint> find_whole(const fs::path& folder, const Warn& warn,
                                     const AtBroken& at_broken) {
  std::vector<std::string> broken;
  for (const std::uint64_t version : versions_in(folder)) {
    const fs::path path = folder / name_of(version);
    try {
      Checkpoint checkpoint = read_checkpoint(path);
      if (checkpoint.version != version) {
        throw DamagedCheckpoint(
            fmt::format("{}: is the checkpoint of version {}", path.string(), checkpoint.version));
      }
      for (const std::string& why : broken) warn(why + "; the checkpoint before it is taken");
      return checkpoint;
    } catch (const DamagedCheckpoint& e) {
      broken.push_back(e.what() + at_broken(path));
    } catch (const DataError& e) {
      std::ranges::for_each(broken, warn);
      throw DataError(
          fmt::format("{}; it stays as it is, and may be whole: by another name it is "
                      "passed over",
                      e.what()));
    }
  }
  if (broken.empty()) return std::nullopt;
  throw DataError(broken.front() + "; no other checkpoint is whole, so that the run cannot go on" +
                  advice_of_center(folder.parent_path()));
}

}  // namespace

std::string advice_of_center(const fs::path& run) {
  const fs::path center = run / "center.safetensors";
  std::error_code ignored;
  if (!fs::exists(center, ignored)) return "";
  return "; --set network.init=" + center.string() + " starts another from its center";
}

CheckpointFolder::CheckpointFolder(const fs::path& run) : path_(run / kFolder) {}

std::uint64_t CheckpointFolder::save(const Checkpoint& checkpoint, std::size_t keep) const {
  make(path_);
  std::uint64_t bytes = 0;
  make_room_for([&] { bytes = write(checkpoint); });
  const std::vector<std::uint64_t> versions = versions_in(path_);
  for (std::size_t i = std::max<std::size_t>(keep, 1); i < versions.size(); ++i) {
    std::error_code ignored;
    fs::remove(path_ / name_of(versions[i]), ignored);
  }
  return bytes;
}

void CheckpointFolder::make_room_for(const std::function<void()>& write) const {
  while (true) {
    try {
      return write();
    } catch (const NoRoom&) {
      const std::vector<std::uint64_t> versions = versions_in(path_);
      std::error_code error;
      if (versions.size() < 2 || !fs::remove(path_ / name_of(versions.back()), error)) throw;
    }
  }
}

std::uint64_t CheckpointFolder::write(const Checkpoint& checkpoint) const {
  std::uint64_t bytes = 0;
  write_file(path_ / name_of(checkpoint.version), [&](std::ostream& file) {
    write_checkpoint(file, checkpoint);
    bytes = std::uint64_t(file.tellp());
  });
  return bytes;
}

std::string CheckpointFolder::file_of(std::uint64_t version) {
  return (kFolder / name_of(version)).string();
}

bool CheckpointFolder::is_empty() const {
  return versions_in(path_).empty();
}

void CheckpointFolder::clear() const {
  std::error_code ignored;  // it costs room, and nothing else
  fs::remove_all(path_, ignored);
}

std::optional<Checkpoint> CheckpointFolder::load(const Warn& warn) const {
  remove_unfinished(path_, [](const std::string& name) { return version_in(name).has_value(); });
  return find_whole(path_, warn, put_aside);
}

std::optional<Checkpoint> CheckpointFolder::look(const Warn& warn) const {
  return find_whole(path_, warn, [](const fs::path&) { return ""; });
}

}  // namespace easgd
