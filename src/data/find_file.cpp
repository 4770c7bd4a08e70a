#include "data/find_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/reason.h"
#include "data/numbered_files.h"
#include "data/path_status.h"
#include "data/remedies.h"

namespace easgd {

namespace fs = std::filesystem;

std::optional<fs::path> look_for_file(const fs::path& folder,
                                      const std::vector<std::string>& names) {
  std::optional<std::pair<fs::path, PathStatus>> other;
  for (const auto& name : names) {
    const fs::path path = folder / name;
    const PathStatus status = status_of(path);
    if (status.is(fs::file_type::regular)) return path;
    const bool named = !status.is(fs::file_type::not_found) || !dangling_link(path).empty();
    if (named && !other) other = {path, status};
  }
  if (other) not_a_file(other->first, other->second);
  return std::nullopt;
}

fs::path find_file(const fs::path& folder, const std::vector<std::string>& names,
                   const DatasetFiles& set) {
  if (const auto path = look_for_file(folder, names)) return *path;
  std::string text = (folder / names.front()).string() + ": file missing; the set is incomplete";
  if (set.fetch.empty()) throw DataError(text);
  const fs::path parent = (folder / "").lexically_normal().parent_path().parent_path();
  throw DataError(text +
                  "; move its folder away and fetch it again: " + fetch_command(set, parent));
}

void check_files(const fs::path& folder, const DatasetFiles& wanted) {
  if (!wanted.train.empty() && !status_of(folder / wanted.train).is(fs::file_type::directory))
    throw DataError(folder.string() + ": expected " + wanted.train + "/ in it");
  for (const auto& names : wanted.files) {
    std::error_code error;
    if (std::ranges::any_of(names, [&](const std::string& name) {
          return is_pattern(name) && has_numbered(folder, name, error);
        }))
      continue;
    const fs::path path = find_file(folder, names, wanted);
    if (faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0)
      throw DataError(path.string() + ": cannot be read: " + reason(errno));
  }
}

}  // namespace easgd
