#include "data/location.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/nearest.h"
#include "data/dataset_entry.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

bool has_file(const fs::path& folder, const std::vector<std::string>& names) {
  std::error_code ignored;
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& name) { return fs::exists(folder / name, ignored); });
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

struct Root {
  fs::path path;
  std::string origin;  ///< for the message: who chose it
};

Root chosen_root(const std::string& dir) {
  if (!dir.empty()) return {dir, "data.dir"};
  const char* variable = std::getenv("EASGD_DATA");
  if (variable && *variable) return {variable, "$EASGD_DATA"};
  return {"data", "data.dir and $EASGD_DATA are empty"};
}

/// The root itself where one of the set's files lies in it, else the best named folder in it that
/// holds one, else the root or a folder in it that at least has the right name.
std::optional<fs::path> folder_in(const fs::path& root, const DatasetFiles& wanted) {
  const auto holds_some = [&](const fs::path& folder) {
    return std::any_of(wanted.files.begin(), wanted.files.end(),
                       [&](const auto& names) { return has_file(folder, names); });
  };
  if (!is_folder(root)) return std::nullopt;
  if (holds_some(root)) return root;
  for (const auto& name : wanted.folders)
    if (holds_some(root / name)) return root / name;
  for (const auto& name : wanted.folders) {
    if (is_folder(root / name)) return root / name;
    if (root.filename() == name) return root;
  }
  return std::nullopt;
}

}  // namespace

fs::path find_folder(const std::string& set, const DatasetFiles& wanted, const std::string& dir) {
  const Root root = chosen_root(dir);
  if (const auto folder = folder_in(root.path, wanted)) return *folder;
  std::error_code ignored;
  const bool exists = fs::exists(root.path, ignored);
  const char* why = is_folder(root.path) ? "" : exists ? " (not a folder)" : " (no such folder)";
  std::string places = root.path.string() + why;
  for (const auto& name : wanted.folders) places += ", " + (root.path / name).string();
  throw DataError(set + ": not found; looked in " + places + " (" + root.origin +
                  "); run `tools/fetch " + set +
                  "`, set data.dir or $EASGD_DATA, or use data.set = \"synthetic\"");
}

fs::path find_file(const fs::path& folder, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const fs::path path = folder / name;
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) continue;
    if (status.type() == fs::file_type::none)
      throw DataError(path.string() + ": cannot be examined: " + error.message());
    if (status.type() == fs::file_type::directory)
      throw DataError(path.string() + ": expected a file, found a folder");
    if (status.type() != fs::file_type::regular)
      throw DataError(path.string() +
                      ": expected a file, found something that is neither file nor folder");
    return path;
  }
  throw DataError((folder / names.front()).string() +
                  ": file missing; the set is incomplete, fetch it again (tools/fetch)");
}

std::optional<std::string> locate(const std::string& set, const std::string& dir) {
  const DatasetFiles* wanted = Registry<DatasetFiles>::find(set);
  if (!wanted) {
    if (Registry<DatasetEntry>::find(set)) return "built in";
    throw KeyError("data.set", "no data set is called \"" + set + "\"" +
                                   did_you_mean(set, Registry<DatasetEntry>::names()));
  }
  const auto folder = folder_in(chosen_root(dir).path, *wanted);
  if (!folder) return std::nullopt;
  const bool complete = std::all_of(wanted->files.begin(), wanted->files.end(),
                                    [&](const auto& names) { return has_file(*folder, names); });
  return complete ? std::optional(folder->string()) : std::nullopt;
}

}  // namespace easgd
