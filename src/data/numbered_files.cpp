#include "data/numbered_files.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/reason.h"
#include "data/path_status.h"

namespace easgd {

namespace fs = std::filesystem;

namespace {

/// Whether `name` is `pattern` with anything for its #.
bool matches(const std::string& name, const std::string& pattern) {
  const std::size_t at = pattern.find('#');
  return name.size() >= pattern.size() && name.starts_with(pattern.substr(0, at)) &&
         name.ends_with(pattern.substr(at + 1));
}

/// The number that stands for `pattern`'s #, if one does. One of too many digits is the largest.
std::optional<std::uint64_t> number_in(const std::string& name, const std::string& pattern) {
  if (!matches(name, pattern)) return std::nullopt;
  const std::size_t at = pattern.find('#');
  const char* const end = name.data() + name.size() - (pattern.size() - at - 1);
  std::uint64_t number = 0;
  const auto result = std::from_chars(name.data() + at, end, number);
  if (result.ptr != end) return std::nullopt;
  return result.ec == std::errc() ? number : ~std::uint64_t{0};
}

}  // namespace

bool is_pattern(const std::string& name) {
  return name.find('#') != std::string::npos;
}

bool has_numbered(const fs::path& folder, const std::string& pattern, std::error_code& error) {
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (number_in(entry->path().filename().string(), pattern)) return true;
  return false;
}

std::vector<fs::path> numbered_files(const fs::path& folder, const std::string& pattern) {
  std::vector<std::pair<std::uint64_t, fs::path>> found;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    if (matches(entry->path().filename().string(), pattern)) {
      const auto number = number_in(entry->path().filename().string(), pattern);
      if (!number)
        throw DataError(entry->path().string() + ": expected a number for the # of " + pattern +
                        "; rename it, or move it away");
      found.emplace_back(*number, entry->path());
    }
  if (error) throw DataError(folder.string() + ": cannot be listed: " + reason(error.value()));
  std::ranges::sort(found);
  std::vector<fs::path> paths;
  for (auto& [number, path] : found) {
    const PathStatus status = status_of(path);
    if (!status.is(fs::file_type::regular)) not_a_file(path, status);
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace easgd
