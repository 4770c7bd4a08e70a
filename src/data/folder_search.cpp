#include "data/folder_search.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "data/numbered_files.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

/// Nothing can be said of `path`: because of its folder, where not even its name can be asked for.
void block(Candidate& candidate, const fs::path& path, const std::error_code& why) {
  if (!candidate.blocked.empty()) return;
  std::error_code error;
  const bool named = fs::symlink_status(path, error).type() != fs::file_type::none;
  candidate.blocked = named ? path : candidate.folder;
  candidate.why = why;
}

/// Points of one file under one of its names; `size` is its size, 0 if that is not known.
std::size_t points_of(Candidate& candidate, const std::string& name, std::uintmax_t size = 0) {
  if (is_pattern(name)) {
    std::error_code error;
    if (has_numbered(candidate.folder, name, error)) return 2;
    if (error) block(candidate, candidate.folder, error);
    return 0;
  }
  const fs::path path = candidate.folder / name;
  const PathStatus status = status_of(path);
  if (status.is(fs::file_type::none)) block(candidate, path, status.error);
  if (!status.is(fs::file_type::regular)) return status.there() ? 1 : 0;
  std::error_code ignored;  // who reads it will meet it again
  return size && fs::file_size(path, ignored) != size ? 1 : 2;
}

Candidate candidate_of(const fs::path& folder, const DatasetFiles& wanted) {
  Candidate candidate{folder, status_of(folder), 0, false, {}, {}};
  if (candidate.status.is(fs::file_type::none)) block(candidate, folder, candidate.status.error);
  if (!candidate.status.is(fs::file_type::directory)) return candidate;
  for (std::size_t i = 0; i < wanted.files.size(); ++i) {
    const std::uintmax_t size = i < wanted.sizes.size() ? wanted.sizes[i] : 0;
    std::size_t best = 0;
    for (const auto& name : wanted.files[i])
      if (best < 2) best = std::max(best, points_of(candidate, name, size));
    candidate.points += best;
  }
  candidate.complete = candidate.points == 2 * wanted.files.size();
  if (!wanted.train.empty()) {
    candidate.points = 1;  // any folder can be the set's
    candidate.complete = status_of(folder / wanted.train).is(fs::file_type::directory);
  }
  return candidate;
}

}  // namespace

Search search_folders(const fs::path& root, const DatasetFiles& wanted) {
  Search result;
  auto& candidates = result.candidates;
  candidates.push_back(candidate_of(root, wanted));
  if (candidates[0].status.is(fs::file_type::directory))
    for (const auto& name : wanted.folders) candidates.push_back(candidate_of(root / name, wanted));
  const auto complete = std::ranges::find_if(candidates, &Candidate::complete);
  if (complete != candidates.end()) {
    result.folder = complete->folder;
    return result;
  }
  const Candidate* best = &candidates[0];
  for (std::size_t i = candidates.size(); i-- > 1;)
    if (candidates[i].points >= std::max<std::size_t>(1, best->points)) best = &candidates[i];
  if (best->points < wanted.files.size())
    for (const Candidate& each : candidates)
      if (!each.blocked.empty()) cannot_examine(each.blocked, each.why);
  if (best->points > 0) result.folder = best->folder;
  return result;
}

}  // namespace easgd
