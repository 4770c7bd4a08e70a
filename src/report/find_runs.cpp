#include "report/find_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "runs/manifest.h"
#include "runs/run_folder.h"

namespace easgd::report {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepest = 4;  // folders below one that is named

/// In the order in which a person counts: s2 before s10.
bool comes_before(const fs::path& a, const fs::path& b) {
  const std::string x = a.filename().string(), y = b.filename().string();
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0, j = 0;
  while (i < x.size() && j < y.size()) {
    if (!digit(x[i]) || !digit(y[j])) {
      if (x[i] != y[j]) return x[i] < y[j];
      ++i, ++j;
      continue;
    }
    std::size_t m = i, n = j;
    while (m < x.size() && digit(x[m])) ++m;
    while (n < y.size() && digit(y[n])) ++n;
    std::string one = x.substr(i, m - i), other = y.substr(j, n - j);
    one.insert(0, std::max(one.size(), other.size()) - one.size(), '0');
    other.insert(0, one.size() - other.size(), '0');
    if (one != other) return one < other;
    i = m, j = n;
  }
  return std::pair(x.size() - i, x) < std::pair(y.size() - j, y);
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> result;
  std::error_code error, ignored;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with('.') && it->is_directory(ignored)) result.push_back(it->path());
  }
  std::ranges::sort(result, comes_before);
  return result;
}

bool holds_nothing(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_empty(folder, ignored);
}

bool is_known(const fs::path& folder) {
  return is_run_folder(folder) || is_sweep(folder);
}

void collect(const fs::path& folder, int depth, std::vector<Found>& found);

/// An empty folder beside runs is one that was never begun: it has a row, too.
void collect_below(const fs::path& folder, int depth, std::vector<Found>& found) {
  if (depth == kDeepest) return;
  const std::vector<fs::path> inner = folders_in(folder);
  const bool beside_runs = std::ranges::any_of(inner, is_run_folder);
  for (const fs::path& next : inner) {
    if (beside_runs && holds_nothing(next)) {
      found.push_back({next});
    } else {
      collect(next, depth + 1, found);
    }
  }
}

void collect(const fs::path& folder, int depth, std::vector<Found>& found) {
  if (is_known(folder)) {
    found.push_back({folder, is_sweep(folder)});
  } else {
    collect_below(folder, depth, found);
  }
}

}  // namespace

std::vector<fs::path> find_runs_below(const fs::path& sweep) {
  std::vector<Found> found;
  collect_below(sweep, 0, found);
  std::vector<fs::path> folders;
  for (Found& one : found) folders.push_back(std::move(one.folder));
  return folders;
}

std::vector<Found> find_runs(const std::vector<std::string>& places) {
  std::vector<Found> result;
  std::set<fs::path> seen;
  for (const std::string& place : places) {
    std::error_code error;
    if (!fs::is_directory(place, error)) {
      const bool absent = !fs::exists(place, error);
      throw DataError(fmt::format("{}: {}; expected the folder of a run, of runs or of a sweep",
                                  place, absent ? "not found" : "is no folder"));
    }
    std::vector<Found> found;
    collect(place, 0, found);
    if (found.empty()) {
      throw DataError(
          fmt::format("{}: no run in it; expected the folder of a run, of runs or of a "
                      "sweep",
                      place));
    }
    for (Found& one : found) {
      fs::path same = fs::canonical(one.folder, error);
      if (seen.insert(error ? one.folder : std::move(same)).second) {
        result.push_back(std::move(one));
      }
    }
  }
  return result;
}

}  // namespace easgd::report
