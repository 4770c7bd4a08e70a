#include "data/set_content.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "base/fnv1a.h"
#include "data/dataset_reader.h"
#include "data/find_file.h"
#include "data/location.h"
#include "data/numbered_files.h"

namespace easgd {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kPart = 1 << 20;

std::vector<fs::path> files_of(const fs::path& folder, const std::vector<std::string>& names) {
  std::vector<fs::path> paths;
  for (const std::string& name : names) {
    if (!is_pattern(name)) continue;
    const auto numbered = numbered_files(folder, name);
    paths.insert(paths.end(), numbered.begin(), numbered.end());
  }
  if (const auto single = look_for_file(folder, names)) paths.push_back(*single);
  return paths;
}

/// A file that cannot be read is its size.
std::uint64_t hash_ends(const fs::path& path, std::uint64_t hash) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  hash = fnv1a(fmt::format("{} ", size), hash);
  std::ifstream file(path, std::ios::binary);
  std::string part(kPart, '\0');
  for (const std::uintmax_t at : {std::uintmax_t{0}, size > kPart ? size - kPart : 0}) {
    file.clear();
    file.seekg(std::streamoff(at));
    file.read(part.data(), std::streamsize(part.size()));
    hash = fnv1a(std::string_view(part).substr(0, std::size_t(file.gcount())), hash);
  }
  return hash;
}

}  // namespace

std::string set_content(const std::string& set, const std::string& dir) {
  const auto wanted = make_dataset_reader(set)->files();
  if (!wanted || !wanted->fetch.empty()) return "";
  const fs::path folder = find_folder(set, *wanted, dir);
  std::uint64_t hash = fnv1a("");
  for (const auto& names : wanted->files) {
    for (const fs::path& path : files_of(folder, names)) hash = hash_ends(path, hash);
  }
  return fmt::format("content {:016x}", hash);
}

}  // namespace easgd
