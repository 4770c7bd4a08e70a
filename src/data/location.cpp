#include "data/location.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "data/dataset_reader.h"
#include "data/find_file.h"
#include "data/folder_search.h"
#include "data/path_status.h"
#include "data/remedies.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

/// Why the root is no folder; empty if it is one.
std::string why_no_folder(const Candidate& root) {
  if (root.status.is(fs::file_type::directory)) return "";
  if (root.status.there()) return " (not a folder)";
  if (const auto link = dangling_link(root.folder); !link.empty())
    return " (" + link.substr(1) + ")";
  if (root.status.error == std::errc::not_a_directory)
    return " (" + root.status.error.message() + ")";
  return " (no such folder)";
}

fs::path folder_of(const std::string& set, const DatasetFiles& wanted, const SearchRoot& root) {
  const Search found = search_folders(root.path, wanted);
  if (found.folder) return *found.folder;
  if (const auto lookalike = lookalike_in(found, wanted))
    throw DataError(set + ": not found; " + *lookalike);
  std::string looked_in = root.path.string() + why_no_folder(found.candidates[0]);
  for (std::size_t i = 1; i < found.candidates.size(); ++i) {
    const Candidate& each = found.candidates[i];
    looked_in += ", " + each.folder.string();
    if (each.status.is(fs::file_type::directory)) looked_in += " (holds none of its files)";
  }
  throw DataError(
      fmt::format("{}: not found; looked in {} ({}); {}", set, looked_in,
                  root.origin.empty() ? "neither data.dir nor $EASGD_DATA is set" : root.origin,
                  remedies(set, wanted, root, found)));
}

std::optional<DatasetFiles> files_of(const std::string& set) {
  return make_dataset_reader(set)->files();
}

}  // namespace

fs::path find_folder(const std::string& set, const DatasetFiles& wanted, const std::string& dir) {
  return folder_of(set, wanted, choose_root(dir, "data.dir"));
}

std::optional<std::string> locate(const std::string& set, const std::string& dir) {
  const auto wanted = files_of(set);
  if (!wanted) return "built in";
  try {
    const fs::path folder = folder_of(set, *wanted, choose_root(dir, ""));
    check_files(folder, *wanted);
    return folder.string();
  } catch (const DataError&) {  // why_not_located() says why
    return std::nullopt;
  }
}

std::string why_not_located(const std::string& set, const std::string& dir, const char* option) {
  const DatasetFiles wanted = files_of(set).value();
  try {
    check_files(folder_of(set, wanted, choose_root(dir, option)), wanted);
    return set + ": there";
  } catch (const DataError& error) {
    return error.what();
  }
}

bool moved_away(const std::string& set, const std::string& dir) {
  const auto wanted = files_of(set);
  if (!wanted) return false;
  return std::ranges::all_of(search_folders(dir, *wanted).candidates,
                             [](const Candidate& each) { return each.points == 0; });
}

}  // namespace easgd
